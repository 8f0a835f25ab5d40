"""The graph model that knows which day it is: what a step stands on, what it may see, how its score splits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data import histories_as_of
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.data.histories_as_of import TimedEvents, timed_events
from recsys_jobs.data.recency import DAY
from recsys_jobs.models import families
from recsys_jobs.models.sage_recent.fitted import SageRecentModel
from recsys_jobs.models.sage_recent.learner import SageRecentLearner
from recsys_jobs.models.sage_recent.recipe import SageRecentRecipe, sage_fm_recent
from recsys_jobs.training.learner import EventSplit, event_split
from tests.unit.worlds import dataset

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
TINY = replace(sage_fm_recent(), width=8, text_neighbours=0, steps_per_epoch=6, max_epochs=4, learning_rate=0.05)
# user, item, day
ROWS = [(0, 0, 0), (1, 0, 1), (0, 1, 10), (1, 2, 10), (2, 2, 12), (0, 3, 20)]


def timed(rows: list[tuple[int, int, int]], items: int = 4) -> Dataset:
    """The events of these rows, in this order; all of the core."""
    users = 1 + max(user for user, _, _ in rows)
    times = np.array([day for _, _, day in rows], np.int64) * DAY
    return dataset([(user, item) for user, item, _ in rows], users, items, time_E=times)


def weeks(count: int = 8, people: int = 60) -> Dataset:
    """Each week has an item of its own: even users have it at once, odd ones a week later. Two items nobody had."""
    rows = [(user, week - user % 2, 7 * week) for week in range(count) for user in range(people) if week >= user % 2]
    return timed(rows, count + 2)


def everything(data: Dataset) -> TimedEvents:
    return timed_events(data, np.ones(len(data.event_user_E), bool))


def learner(data: Dataset, recipe: SageRecentRecipe = TINY) -> SageRecentLearner:
    return SageRecentLearner(data, recipe, event_split(data, 1), CPU)


def test_events_stand_in_the_order_of_time_whatever_the_order_of_rows() -> None:
    found = everything(timed(ROWS[::-1]))
    assert found.age_E.tolist() == [20, 19, 10, 10, 8, 0]
    assert found.item_E.tolist() == [0, 0, 2, 1, 2, 3]


def test_before_a_moment_events_are_as_old_as_they_then_were() -> None:
    known = everything(timed(ROWS)).before(4)
    assert known.age_E.tolist() == [10, 9, 0, 0]
    assert known.user_E.tolist() == [0, 1, 0, 1]


def test_chunks_cover_the_last_share_and_leave_events_of_one_day_together() -> None:
    assert histories_as_of.time_chunks(everything(timed(ROWS)), 0.5, 2) == [(2, 4), (4, 6)]


def test_chunks_of_events_without_times_go_by_their_order() -> None:
    rows = [(user, item, 0) for user in range(4) for item in range(4)]
    assert histories_as_of.time_chunks(everything(timed(rows)), 0.5, 4) == [(8, 10), (10, 12), (12, 14), (14, 16)]


def test_there_are_no_chunks_of_nothing_nor_one_with_nothing_before_it() -> None:
    assert histories_as_of.time_chunks(everything(timed(ROWS)), 0.0, 3) == []
    assert histories_as_of.time_chunks(everything(timed(ROWS)), 1.0, 2) == [(2, 6)]


def test_half_of_a_history_is_left_after_its_half_life_and_popular_items_count_less() -> None:
    known = everything(timed(ROWS)).before(4)
    fading, plain = histories_as_of.histories(known, np.array([0]), (10.0, 0.0))
    assert np.allclose(fading.toarray(), [[0.5 * 2**-0.5, 1, 0, 0]])  # two had item 0
    assert np.allclose(plain.toarray(), [[2**-0.5, 1, 0, 0]])


def test_popularity_of_late_ranks_what_was_had_of_late() -> None:
    log_IP = histories_as_of.log_popularity(everything(timed(ROWS)), (1.0, 0.0))
    assert log_IP[:, 0].argmax() == 3
    assert log_IP[:, 1].argmin() == 1 or log_IP[:, 1].argmin() == 3
    assert torch.allclose(log_IP.mean(0), torch.zeros(2), atol=1e-6)


def test_a_step_knows_nothing_of_what_it_asks_for_or_of_later() -> None:
    data = weeks()
    found = learner(data)
    for step in found.batches(np.random.default_rng(0)):
        known = set(step.known.keys().tolist())
        asked = step.user_B[step.row_T] * len(data.items) + step.item_T
        assert not known & set(asked.tolist())
        shown = [np.unique(history_BI.nonzero()[1]) for history_BI in step.histories]
        assert all(set(items.tolist()) <= set(step.known.item_E.tolist()) for items in shown)


def test_later_events_move_nothing_of_a_step() -> None:
    """The loss of the first chunk is the same, whatever comes after it."""
    data = weeks()
    changed = replace(data, event_item_E=data.event_item_E.copy())
    changed.event_item_E[-60:] = len(data.items) - 1
    losses = []
    for each in (data, changed):
        torch.manual_seed(0)
        found = learner(each)
        found.inputs = learner(data).inputs
        found.network.load_state_dict(learner_state(data))
        found.spans = found.spans[:1]
        [step] = found.batches(np.random.default_rng(1))
        losses.append(found.loss(step).item())
    assert losses[0] == losses[1]


def learner_state(data: Dataset) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return learner(data).network.state_dict()


def test_it_learns_that_what_others_had_of_late_is_next() -> None:
    """Of all that the odd users did not have, the item of the last week is the one that somebody had."""
    data = weeks()
    score_UI = families.fit(data, TINY, seed=0, epochs=4).model.score_block(torch.arange(60))
    score_UI[data.event_user_E, data.event_item_E] = -torch.inf
    assert (score_UI[1::2].argmax(1) == 7).float().mean() > 0.9


def test_a_score_is_the_sum_of_what_the_history_and_recent_popularity_add() -> None:
    model = families.fit(weeks(), TINY, seed=0, epochs=2).model
    assert isinstance(model, SageRecentModel)
    score_1I = model.score_block(torch.tensor([5]))[0]
    for item in (0, 7, 9):
        found = sum(model.history_terms(5, item).values()) + model.prior_term(item)
        assert found == pytest.approx(float(score_1I[item]), abs=1e-4)


def test_without_anyone_who_came_back_there_is_nothing_to_train_on() -> None:
    rows = [(user, user % 4, user) for user in range(12)]
    with pytest.raises(JobError, match="nobody with a history had a new item among the last 90%"):
        learner(timed(rows))


def test_only_events_of_the_core_are_asked_for() -> None:
    data = weeks(count=4)
    core_E = data.event_item_E % 2 == 0
    found = SageRecentLearner(data, TINY, EventSplit(np.ones_like(core_E), core_E), CPU)
    assert all((step.item_T % 2 == 0).all() for step in found.batches(np.random.default_rng(0)))


def test_an_exam_fit_ends_on_everything_for_as_many_epochs_as_were_best_without_the_last_days() -> None:
    data = weeks()
    data = replace(data, validation_E=np.arange(len(data.event_user_E)) >= len(data.event_user_E) - 60)
    exam = families.fit(data, TINY, seed=0)
    serving = families.fit(data, TINY, seed=0, epochs=exam.epochs)
    assert "validation_ndcg" in exam.history[0]
    assert exam.epochs == serving.epochs
    assert torch.equal(exam.model.score_block(torch.arange(9)), serving.model.score_block(torch.arange(9)))
