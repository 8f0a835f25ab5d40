"""SASRec: sequences by hand, what a place sees, that order is learned, and what is not known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.models.sequence.event_sequences import Sequences, alike_batches, last_events, sequences
from recsys_jobs.models.sequence.learner import Network, encode, item_vectors
from recsys_jobs.models.sequence.recipe import sasrec
from recsys_jobs.models.sequence.sasrec import FAMILY, fit, load
from tests.unit.worlds import dataset, with_everything

CPU = torch.device("cpu")
TINY = replace(sasrec(), width=16, feed_width=16, batch=64, dropout=0.1, learning_rate=0.01)
# in turn: user 0 had 3, 1, 2, 0, user 1 had 2, user 2 nothing, user 3 had 0 and 3
PAIRS = [(0, 3), (1, 2), (0, 1), (3, 0), (0, 2), (3, 3), (0, 0)]
EVERY = np.ones(7, np.bool_)


def test_sequences_keep_the_order_of_events() -> None:
    found = sequences(dataset(PAIRS, 4, 4), EVERY)
    assert found.length_U.tolist() == [4, 1, 0, 2]
    event_BL, count_B = last_events(found, np.array([3, 0, 2]), 3)
    assert found.item_E.tolist() == [3, 1, 2, 0, 2, 0, 3]
    assert event_BL.tolist() == [[5, 6, 0], [1, 2, 3], [0, 0, 0]]
    assert count_B.tolist() == [2, 3, 0]


def test_times_and_ratings_come_along_and_are_unknown_where_there_are_none() -> None:
    data = dataset(PAIRS, 4, 4)
    bare = sequences(data, EVERY)
    assert bare.time_E.tolist() == [-1] * 7
    assert np.isnan(bare.rating_E).all()
    told = replace(data, time_E=np.arange(7) * 10, rating_E=np.arange(7, dtype=np.float32))
    found = sequences(told, EVERY)
    assert found.time_E.tolist() == [0, 20, 40, 60, 10, 30, 50]
    assert found.rating_E.tolist() == [0, 2, 4, 6, 1, 3, 5]


def test_items_that_are_not_known_are_left_out_of_a_sequence() -> None:
    found = sequences(dataset(PAIRS, 4, 4), EVERY, np.array([True, True, False, True]))
    assert found.length_U.tolist() == [3, 0, 0, 2]
    assert found.item_E.tolist() == [3, 1, 0, 0, 3]


def test_batches_are_of_like_length_and_about_so_many_items() -> None:
    batches = alike_batches(np.array([5, 1, 2, 1, 5, 2]), 6)
    assert [batch.tolist() for batch in batches] == [[1, 3, 2, 5], [0], [4]]


def model_of(items: int) -> Network:
    torch.manual_seed(0)
    data = dataset([(0, 0)], 1, items)
    return Network(FAMILY, data, replace(TINY, start_scale=0.5), np.ones(items, np.bool_)).eval()


def hidden(network: Network, items: list[int]) -> torch.Tensor:
    return network.body(network.items(torch.tensor([items])), torch.zeros(1, len(items), 0))


def vectors(network: Network, found: Sequences, users: list[int], length: int = 50) -> torch.Tensor:
    context_EX = FAMILY.context(found, TINY)
    item_ID = item_vectors(network.items, 4, CPU)
    return encode(network.body, replace(TINY, length=length), item_ID, found, context_EX, np.array(users))


def test_a_place_sees_itself_and_what_was_before_and_knows_their_order() -> None:
    network = model_of(9)
    one, other = hidden(network, [1, 2, 3, 4]), hidden(network, [1, 2, 7, 8])
    assert torch.allclose(one[:, :2], other[:, :2], atol=1e-6)
    assert not torch.allclose(one[:, 3], hidden(network, [2, 1, 3, 4])[:, 3], atol=1e-3)


def test_a_user_s_vector_does_not_depend_on_the_company() -> None:
    found = sequences(dataset(PAIRS, 4, 4), EVERY)
    network = model_of(4)
    together = vectors(network, found, [0, 1, 2, 3])
    alone = torch.cat([vectors(network, found, [user]) for user in range(4)])
    assert torch.allclose(together, alone, atol=1e-6)
    assert together.any(1).tolist() == [True, True, False, True]


def test_only_the_last_items_count() -> None:
    network = model_of(4)
    found = [
        sequences(dataset(pairs, 1, 4), np.ones(len(pairs), np.bool_))
        for pairs in ([(0, 3), (0, 1), (0, 2), (0, 0)], [(0, 2), (0, 0)])
    ]
    assert torch.equal(*(vectors(network, one, [0], length=2) for one in found))


def ring(users: int = 120, items: int = 12, each: int = 5) -> tuple[Dataset, list[int]]:
    """Return users who go round a ring of items, every other one backwards, and the item that comes next for each."""
    steps = [1 if user % 2 else -1 for user in range(users)]
    pairs = [(user, (user // 2 + steps[user] * turn) % items) for turn in range(each) for user in range(users)]
    return dataset(pairs, users, items), [(user // 2 + steps[user] * each) % items for user in range(users)]


def test_the_order_of_events_is_learned() -> None:
    """What a user had says nothing of the direction: one going up and one going down had the same items."""
    data, wanted = ring()
    model = fit(data, TINY, seed=0, epochs=25)
    best = model.score_block(torch.arange(120)).argmax(1).tolist()
    assert np.mean([found == next_one for found, next_one in zip(best, wanted, strict=True)]) > 0.9


def test_the_full_softmax_is_what_more_negatives_than_items_make() -> None:
    few, full, more = (
        fit(with_everything(), replace(TINY, negatives=count), seed=0, epochs=2).history[-1]["loss"]
        for count in (5, 20, 5_000)
    )
    assert full == more != few
    assert few == pytest.approx(full, rel=0.1)


def test_over_a_later_dataset_rows_follow_their_names_and_new_ones_get_scores() -> None:
    """A new first item moves all the rows; the last user is new, and so is all that it had: it is the average user."""
    early = dataset([(0, 0), (0, 1), (1, 1), (1, 2), (2, 0), (2, 2)], 3, 3)
    fitted = fit(early, TINY, seed=0, epochs=2)
    pairs = [(0, 1), (0, 2), (1, 2), (1, 3), (2, 1), (2, 3), (3, 3), (3, 1), (4, 0)]
    later = replace(dataset(pairs, 5, 4), items=["a new one", *early.items])
    again = load(fitted.weights(), later, TINY)
    score = again.score_block(torch.arange(5))
    assert torch.allclose(score[:3, 1:], fitted.score_block(torch.arange(3)), atol=1e-5)
    assert torch.allclose(score[4], score[:4].mean(0), atol=1e-5)
    assert torch.allclose(score[:, 0], score[:, 1:].mean(1), atol=1e-5)
    assert score[3].std() > 0


def test_nothing_to_train_on_and_foreign_weights_are_said() -> None:
    with pytest.raises(JobError, match="no user has two training events"):
        fit(dataset([(0, 0), (1, 1)], 2, 2), TINY, seed=0, epochs=1)
    weights = fit(with_everything(), TINY, seed=0, epochs=1).weights()
    with pytest.raises(JobError, match="do not fit recipe sasrec"):
        load(weights, with_everything(), replace(TINY, feed_width=8))
