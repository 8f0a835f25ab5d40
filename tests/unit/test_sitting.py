"""What is learned from, what is known when the question is asked, what is asked, what is masked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.data.histories import events_matrix
from recsys_jobs.data.holdout import Holdout
from recsys_jobs.data.readers.raw import EventLog, Item, RawData, build_raw_data
from recsys_jobs.data.split_protocols import TEST, TEST_INPUT, TRAIN, VALIDATION, VALIDATION_INPUT, Parts
from recsys_jobs.data.without_events import without_events
from recsys_jobs.exam.contents import Contents
from recsys_jobs.exam.datasets import EvaluationDatasets, build_datasets, history_and_targets, needed_reviews
from recsys_jobs.models.sage_fm.item_graph import build_graph
from tests.unit.worlds import dataset

# user, item, part: u1 and u2 share a and b; u3 has one event of each part; item d is asked for alone
EVENTS = [
    ("u1", "a", TRAIN),
    ("u1", "b", TRAIN),
    ("u2", "a", TRAIN),
    ("u2", "b", TRAIN),
    ("u3", "a", TRAIN),
    ("u3", "b", VALIDATION),
    ("u3", "d", TEST),
    ("u4", "c", TEST),
]


def raw_data(events: list[tuple[str, str, int]], core: tuple[int, int] = (0, 0), **more: object) -> RawData:
    users, items, _ = zip(*events, strict=True)
    log = EventLog(users, items, ordered=True, **more)  # type: ignore[arg-type]
    return build_raw_data(Path("shop"), "sequences", log, {"a": Item(), "e": Item("never had")}, core=core)


def parts(events: list[tuple[str, str, int]]) -> Parts:
    return np.array([part for *_, part in events], np.int8)


def nothing(raw: RawData) -> Contents:
    items, events = len(raw.items), len(raw.events.user_E)
    no, none = np.zeros(items, np.bool_), np.zeros((items, 0), np.float32)
    return Contents(none, no, no, none, no, np.full(events, -1), np.zeros((0, 0), np.float32))


def seated(
    final: bool,
    protocol: str = "file",
    mask: str = "train_validation",
    events: list[tuple[str, str, int]] = EVENTS,
    core: tuple[int, int] = (0, 0),
    refit: bool = False,
) -> EvaluationDatasets:
    raw = raw_data(events, core, rating=np.arange(len(events), dtype=np.float32))
    known = history_and_targets(parts(events), protocol, final, mask, refit)
    return build_datasets(raw, parts(events), known, nothing(raw), Settings())


def names(data: Dataset, chosen: np.ndarray | None = None) -> list[str]:
    """Events as `user item`, in order; those chosen, if any are."""
    pairs = [f"{data.users[u]} {data.items[i]}" for u, i in zip(data.event_user_E, data.event_item_E, strict=True)]
    return pairs if chosen is None else [pair for pair, one in zip(pairs, chosen, strict=True) if one]


def asked(datasets: EvaluationDatasets) -> list[str]:
    scored, holdout = datasets.score, datasets.holdout
    return [f"{scored.users[u]} {scored.items[i]}" for u, i in zip(holdout.user_T, holdout.item_T, strict=True)]


def masked_besides(datasets: EvaluationDatasets) -> list[str]:
    if datasets.hidden_UI is None:
        return []
    return [
        f"{datasets.score.users[u]} {datasets.score.items[i]}" for u, i in np.argwhere(datasets.hidden_UI.toarray())
    ]


TRAINED = ["u1 a", "u1 b", "u2 a", "u2 b", "u3 a"]


@pytest.mark.parametrize("final", [False, True])
@pytest.mark.parametrize("protocol", ["file", "leave_last_out"])
def test_fits_see_train_and_early_stopping_validation_never_test(final: bool, protocol: str) -> None:
    datasets = seated(final, protocol)
    assert names(datasets.train) == TRAINED
    assert not datasets.train.validation_E.any() and datasets.train.in_core_E.all()
    assert names(datasets.early_stopping) == [*TRAINED, "u3 b"]
    assert names(datasets.early_stopping, datasets.early_stopping.validation_E) == ["u3 b"]
    assert names(datasets.early_stopping, datasets.early_stopping.train_events()) == TRAINED
    assert datasets.score.items == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("protocol", ["file", "leave_last_out"])
def test_a_refit_learns_from_validation_too_and_never_from_test(protocol: str) -> None:
    datasets = seated(True, protocol, refit=True)
    assert datasets.refit is not None
    assert sorted(names(datasets.refit)) == sorted([*TRAINED, "u3 b"])
    assert datasets.refit.in_core_E.all() and not datasets.refit.validation_E.any()
    assert names(datasets.score) == names(datasets.refit) and masked_besides(datasets) == []
    assert asked(datasets) == ["u3 d"]
    assert datasets.refit.edge_weight_K.tolist() == [3.0]  # u3 joined those who had a and b
    assert datasets.train.edge_weight_K.tolist() == [2.0]
    assert names(datasets.early_stopping, datasets.early_stopping.validation_E) == ["u3 b"]


def test_a_refit_is_not_for_those_who_are_asked_about_as_new() -> None:
    with pytest.raises(UsageError, match="--refit would learn from the new users"):
        history_and_targets(
            np.array([TRAIN, VALIDATION_INPUT, VALIDATION, TEST_INPUT, TEST]),
            "user_based",
            True,
            "train_validation",
            refit=True,
        )


def test_validation_is_asked_of_who_knows_train_alone() -> None:
    datasets = seated(final=False)
    assert names(datasets.score) == TRAINED
    assert asked(datasets) == ["u3 b"]
    assert masked_besides(datasets) == []
    assert datasets.masked == "train"


def test_without_an_order_validation_is_masked_at_test_but_no_history() -> None:
    datasets = seated(final=True)
    assert names(datasets.score) == TRAINED
    assert asked(datasets) == ["u3 d"]
    assert masked_besides(datasets) == ["u3 b"]
    assert datasets.masked == "train and validation"


def test_masking_train_alone_is_an_option_of_those() -> None:
    datasets = seated(final=True, mask="train")
    assert masked_besides(datasets) == []
    assert datasets.masked == "train"


@pytest.mark.parametrize("protocol", ["leave_last_out", "global_time"])
def test_with_an_order_validation_is_history_at_test(protocol: str) -> None:
    datasets = seated(final=True, protocol=protocol)
    assert names(datasets.score) == [*TRAINED, "u3 b"]
    assert names(datasets.score, datasets.score.in_core_E) == TRAINED  # who was learned from is told by this
    assert not datasets.score.validation_E.any()
    assert masked_besides(datasets) == []
    assert datasets.masked == "train and validation"
    with pytest.raises(UsageError, match=f"protocol {protocol} has validation as history"):
        seated(final=True, protocol=protocol, mask="train")


def test_who_has_no_history_is_not_asked_and_is_counted() -> None:
    holdout: Holdout = seated(final=True).holdout
    assert holdout.dropped == 1  # u4
    assert holdout.rating_T is not None and holdout.rating_T.tolist() == [6.0]


NEW_USERS = [
    ("u1", "a", TRAIN),
    ("u1", "b", TRAIN),
    ("u2", "a", VALIDATION_INPUT),
    ("u2", "b", VALIDATION),
    ("u3", "b", TEST_INPUT),
    ("u3", "a", TEST),
]


def test_new_users_are_known_by_what_is_given_and_never_learned_from() -> None:
    datasets = seated(True, "user_based", events=NEW_USERS)
    assert names(datasets.train) == ["u1 a", "u1 b"]
    assert names(datasets.early_stopping) == ["u1 a", "u1 b", "u2 a", "u2 b"]
    assert names(datasets.early_stopping, datasets.early_stopping.train_events()) == ["u1 a", "u1 b"]
    assert names(datasets.score) == ["u1 a", "u1 b", "u3 b"]
    assert asked(datasets) == ["u3 a"]
    assert datasets.masked == "the part of each examined user's history that is given"
    assert names(seated(False, "user_based", events=NEW_USERS).score) == ["u1 a", "u1 b", "u2 a"]


def test_edges_are_those_that_train_events_make_and_training_sees_no_more_of_them() -> None:
    """Train joins a and b by u1 and u2; u3 joins them with its validation event, and b and c by it alone."""
    events = [*EVENTS, ("u3", "c", VALIDATION)]
    datasets = seated(final=True, protocol="leave_last_out", events=events)
    for data, weight in ((datasets.train, 2), (datasets.score, 2), (datasets.early_stopping, 3)):
        joined = [(data.items[s], data.items[d]) for s, d in zip(data.edge_src_K, data.edge_dst_K, strict=True)]
        assert joined == [("a", "b")]
        assert data.edge_weight_K.tolist() == [weight]  # a dataset's edges count all of its events
    watched = datasets.early_stopping
    graph = build_graph(watched, events_matrix(watched), events_matrix(watched, ~watched.validation_E))
    assert graph.weight_II.toarray()[0].tolist() == [0, 2, 0, 0, 0]


def test_a_core_limits_what_is_learned_from() -> None:
    """Two events a user and an item: u3 has one train event, so that neither it nor its validation counts."""
    crowd = [("u1", "c", TRAIN), ("u5", "c", TRAIN), ("u5", "a", TRAIN), ("u2", "c", VALIDATION)]
    datasets = seated(final=False, events=[*EVENTS, *crowd], core=(2, 2))
    assert names(datasets.train, ~datasets.train.in_core_E) == ["u3 a"]
    assert names(datasets.early_stopping, datasets.early_stopping.validation_E) == ["u2 c"]
    assert asked(datasets) == ["u3 b", "u2 c"]
    with pytest.raises(JobError, match="no validation event is of a user and an item that are learned from"):
        seated(final=False, core=(3, 3))


def test_reviews_are_needed_of_the_last_events_and_of_bare_items() -> None:
    """Of each user one more than stands for it, and of item b, which has a title alone, likewise."""
    events = [("u1", item, TRAIN) for item in "bcdefg"] + [
        ("u2", "h", TRAIN),
        ("u2", "i", VALIDATION),
        ("u2", "j", TEST),
    ]
    users, items, _ = zip(*events, strict=True)
    texts = ["said"] * 6 + [" ", "said", "said"]
    raw = build_raw_data(
        Path("shop"), "lake", EventLog(users, items, review=texts, ordered=True), {"b": Item("B", described=False)}
    )
    settings = Settings(reviews_per_user=2, reviews_per_item=2)
    known = history_and_targets(parts(events), "leave_last_out", True, "train_validation")
    needed = needed_reviews(raw, parts(events), known, settings)
    assert [items[e] for e in np.flatnonzero(needed)] == ["b", "e", "f", "g", "i"]


def test_a_past_is_a_dataset_without_some_events_and_without_what_they_alone_joined() -> None:
    """Items 0 and 1 are joined by users 0 and 1, 1 and 2 by user 1 alone, 0 and 2 by a listing."""
    data = dataset(
        [(0, 0), (0, 1), (1, 1), (1, 0), (1, 2), (2, 0)],
        3,
        3,
        edge_src_K=np.array([0, 1, 0]),
        edge_dst_K=np.array([1, 2, 2]),
        edge_weight_K=np.array([1.0, 1.0, 1.0], np.float32),
        rating_E=np.arange(6, dtype=np.float32),
    )
    past = without_events(data, np.array([0, 0, 1, 0, 0, 1], np.bool_))
    assert past.event_item_E.tolist() == [0, 1, 0, 2]
    assert past.rating_E.tolist() == [0, 1, 3, 4]
    edges = list(zip(past.edge_src_K.tolist(), past.edge_dst_K.tolist(), past.edge_weight_K.tolist(), strict=True))
    assert edges == [(0, 1, 0.5), (0, 2, 1.0)]
