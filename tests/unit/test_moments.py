"""Time as a modality: celebrations by the calendar, waves that close, gaps and sessions by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest

from recsys_jobs.models.sequence.event_sequences import Sequences
from recsys_jobs.models.sequence.time_features import DAY, asked_moments, asked_places, easter, gap, moment, run_ups

EASTER, BLACK_FRIDAY, CHRISTMAS = 2, 7, 8  # columns of run_ups


def seconds(*days: str) -> np.ndarray:
    return np.array([int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) for day in days])


def two_users(times: list[int], asked_at: int) -> Sequences:
    """The first user has all events but the last one, which is the second user's."""
    count = len(times)
    return Sequences(
        item_E=np.arange(count),
        time_E=np.array(times),
        rating_E=np.full(count, np.nan, np.float32),
        location_E=np.arange(count),
        start_U=np.array([0, count - 1]),
        length_U=np.array([count - 1, 1]),
        asked_at=asked_at,
    )


@pytest.mark.parametrize(
    "sunday", [date(1999, 4, 4), date(2008, 3, 23), date(2011, 4, 24), date(2014, 4, 20), date(2038, 4, 25)]
)
def test_easter_is_where_the_church_has_it(sunday: date) -> None:
    assert easter(sunday.year) == sunday


def test_a_celebration_is_one_on_its_day_rises_before_it_and_is_gone_after_it() -> None:
    near = run_ups(seconds("2013-12-05", "2013-12-15", "2013-12-25 23:59", "2013-12-26"))[:, CHRISTMAS]
    assert near == pytest.approx([np.exp(-2), np.exp(-1), 1, np.exp(-36.4)], abs=1e-6)
    assert run_ups(seconds("2013-11-29", "2014-11-28"))[:, BLACK_FRIDAY].tolist() == [1, 1]
    assert run_ups(seconds("2014-04-20"))[0, EASTER] == 1


def test_every_day_of_forty_years_has_run_ups() -> None:
    near = run_ups(np.arange(0, 40 * 366) * DAY)
    assert ((near > 0) & (near <= 1)).all()
    assert (near == 1).sum(0).tolist() == [40, 40, 40, 40, 40, 40, 40, 40, 40]


def test_a_moment_returns_after_a_year_or_a_week_and_is_zeros_where_unknown() -> None:
    season, week = slice(0, 8), slice(17, 23)
    one = moment(seconds("2013-03-04 12:00", "2014-03-04 17:49", "2013-03-11 12:00", "2013-03-07 12:00"))
    assert np.allclose(one[0, season], one[1, season], atol=0.01)
    assert np.allclose(one[0, week], one[2, week], atol=1e-4)
    assert np.abs(one[0, week] - one[3, week]).max() > 0.5
    assert not moment(np.array([-1])).any()


def test_the_next_item_is_asked_for_when_it_came_and_the_last_one_at_the_end() -> None:
    assert asked_moments(two_users([10, 30, 60, 5], asked_at=100)).tolist() == [30, 60, 100, 100]


def test_the_next_item_is_asked_for_from_where_it_came_and_the_last_one_from_the_last_place() -> None:
    assert asked_places(two_users([10, 30, 60, 5], asked_at=100)).tolist() == [1, 2, 2, 3]


def test_a_session_ends_where_nothing_follows() -> None:
    """Two hours after one another, then three days later, and another user."""
    found = two_users([0, 7_200, 3 * DAY, 3 * DAY + 60, 3 * DAY], asked_at=4 * DAY)
    same, place = gap(found, session_hours=12.0)[:, 5:7].T
    assert same.tolist() == [1, 0, 1, 0, 0]
    assert np.expm1(place) == pytest.approx([1, 2, 1, 2, 1])


def test_a_gap_is_unknown_where_either_end_is() -> None:
    found = two_users([-1, 7_200, 9_000], asked_at=-1)
    assert gap(found, session_hours=12.0).any(1).tolist() == [False, False, False]
    longer = gap(two_users([0, DAY, 400 * DAY, DAY], asked_at=800 * DAY), 12.0)[:, :5]
    assert (np.diff(longer[[0, 1]], axis=0) > 0).all()


def test_nobody_s_events_have_no_columns_missing() -> None:
    none = np.zeros(0, np.int64)
    empty = Sequences(none, none, np.zeros(0, np.float32), none, none, none, -1)
    assert (moment(none).shape, gap(empty, 1.0).shape) == ((0, 24), (0, 8))
