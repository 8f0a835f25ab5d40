from hypothesis import given
from hypothesis import strategies as st

from recsys_jobs.embed.batches import plan_batches


def test_each_length_goes_to_the_smallest_bucket_that_holds_it() -> None:
    assert plan_batches([3, 16, 17, 128, 1], (16, 32, 128), rows=2) == [(16, [0, 1]), (16, [4]), (32, [2]), (128, [3])]


def test_nothing_to_encode_makes_no_batch() -> None:
    assert plan_batches([], (16, 32), rows=2) == []


@given(st.lists(st.integers(0, 128), max_size=100), st.integers(1, 7))
def test_every_content_is_dealt_once(lengths: list[int], rows: int) -> None:
    batches = plan_batches(lengths, (16, 32, 64, 128), rows)
    assert sorted(position for _, members in batches for position in members) == list(range(len(lengths)))
    assert all(0 < len(members) <= rows for _, members in batches)
    assert all(lengths[position] <= bucket for bucket, members in batches for position in members)
