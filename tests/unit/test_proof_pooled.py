"""The pooled exam: its years, the listed items, intervals by people, and what it tells of a model that fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from proofs.pooled import FLOOR, WITHOUT_LISTED, Figures, measure_all_years, pooled_means, table, windows, with_edges
from recsys_jobs.data.holdout import Holdout
from recsys_jobs.data.readers.raw import EventLog, RawData, build_raw_data
from recsys_jobs.data.split_protocols import TEST, TRAIN, VALIDATION
from recsys_jobs.exam.datasets import EvaluationDatasets
from tests.unit.worlds import with_everything, without_validation

pytestmark = pytest.mark.usefixtures("one_thread")


def log_of(days: list[date]) -> RawData:
    seconds = [int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) for day in days]
    people, things, words = ([f"{kind}{n}" for n in range(len(days))] for kind in "uir")
    log = EventLog(people, things, np.array(seconds), np.full(len(days), 5, np.float32), review=words)
    return build_raw_data(Path("shop"), "lake", log, {})


def test_a_year_is_asked_of_what_was_before_it_and_what_came_later_is_gone() -> None:
    days = [date(2000, month, 1) for month in range(1, 11)] + [date(2001, 3, 1), date(2002, 2, 28), date(2002, 3, 1)]
    [(day, part, part_E)] = windows(log_of(days), [date(2001, 3, 1)])
    assert day == date(2001, 3, 1)
    assert part_E.tolist() == [TRAIN] * 9 + [VALIDATION] + [TEST] * 2
    assert part.review_E == [f"r{n}" for n in range(12)]
    assert len(part.users) == 13  # rows of people stay the same over the years


def test_listed_items_join_those_that_the_same_people_had() -> None:
    data = with_everything()
    had = data.edge_src_K[0], data.edge_dst_K[0]
    free = next(
        (0, dst) for dst in range(1, 20) if (0, dst) not in set(zip(data.edge_src_K, data.edge_dst_K, strict=True))
    )
    more = np.array([had[0], free[0]]), np.array([had[1], free[1]]), np.array([2.0, 1.0], np.float32)
    both = with_edges(data, more)
    weight = dict(zip(zip(both.edge_src_K, both.edge_dst_K, strict=True), both.edge_weight_K, strict=True))
    assert weight[had] == pytest.approx(data.edge_weight_K[0] / data.edge_weight_K.mean() + 2)
    assert weight[free] == 1.0
    assert len(both.edge_weight_K) == len(data.edge_weight_K) + 1


def test_a_person_of_many_years_is_drawn_as_one() -> None:
    """One of two people has nine of ten values: the mean weighs pairs, the interval swings with people."""
    user_N = np.array([0] * 9 + [1])
    value_N1 = np.array([1.0] * 9 + [0.0])[:, None]
    mean, drawn = pooled_means(user_N, value_N1)
    assert mean.tolist() == [0.9]
    assert set(np.round(drawn[:, 0], 6)) == {0.0, 0.9, 1.0}


def test_a_difference_beyond_doubt_is_shown_and_none_is_not() -> None:
    user_N, random = np.arange(400), np.random.default_rng(0)
    floor_N = random.random(400)
    found = {
        FLOOR: Figures(user_N, floor_N, floor_N),
        "better": Figures(user_N, floor_N + 0.2 + 0.1 * random.random(400), floor_N),
        "the same": Figures(user_N, floor_N + random.normal(size=400) * 0.1, floor_N),
    }
    _, _, *rows = table(found).split("\n")
    shown = {row.split("`")[1]: row.split("|")[-2].strip() for row in rows}
    assert shown == {"better": "yes", "the same": "no", FLOOR: ""}
    assert rows[0].startswith("| `better` |") and "+0.2" in rows[0]


def test_a_model_that_fails_on_one_year_leaves_the_others_their_figures(capsys: pytest.CaptureFixture[str]) -> None:
    data = with_everything()
    past, held = without_validation(data), data.validation_E
    holdout = Holdout(data.event_user_E[held], data.event_item_E[held])
    good = EvaluationDatasets(data, past, past, holdout, None, "train")
    unrated = replace(data, rating_E=np.full(len(data.rating_E), np.nan, np.float32))
    bad = replace(good, early_stopping=unrated)
    years = [(date(2001, 3, 1), {"": good, WITHOUT_LISTED: good}), (date(2002, 3, 1), {"": bad, WITHOUT_LISTED: bad})]
    found = measure_all_years(iter(years), [FLOOR, "ncf_rating"])
    assert list(found) == [FLOOR]
    assert len(found[FLOOR].user_N) == 2 * len(np.unique(found[FLOOR].user_N))
    assert "2002-03-01  ncf_rating: " in capsys.readouterr().out
