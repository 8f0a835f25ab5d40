"""Timestamps as a modality: season, celebrations, time of the week, the gap since the last event.

A place of a sequence is told when the next item is asked for, for that decides what is wanted; when its own
event was, the place before it was told. At a user's last place it is the moment of asking: the last one that
the data knows, since whoever ranks knows no later one. A training pair is told the time of the event to find,
which is no secret at the time: "given that something is bought now, what is it?".

Celebrations are those of the USA whose dates a rule gives; the moon's (Eid, Diwali, Lunar New Year) are not
among them. An unknown time is all zeros.

E events, S columns of a feature, Y years, C celebrations.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from recsys_jobs.data.dataset import Bools, Floats, Ints
from recsys_jobs.models.sequence.event_sequences import Sequences

DAY = 86_400  # seconds
_YEAR, _WEEK = 365.2425 * DAY, 7 * DAY
_MONDAY = 4 * DAY  # 1970-01-05
_SEASON, _TIMES_OF_WEEK = 4, 3  # harmonics: a season of six weeks, single days
_RUN_UP = 10.0  # days before a celebration over which what is bought for it rises e-fold
_GAPS = (3_600, DAY, _WEEK, 30 * DAY, 365 * DAY)  # seconds from which on a gap is told apart from shorter ones


def asked_moments(events: Sequences) -> Ints:
    """Return when the next item after each event is asked for [E], -1 where unknown."""
    next_E = np.append(events.time_E, -1)[1:]
    next_E[_lasts(events)] = events.asked_at
    return next_E


def asked_places(events: Sequences) -> Ints:
    """Return where the next item after each event is asked for [E], a user's last one from where it was last."""
    next_E = np.append(events.location_E, -1)[1:]
    last = _lasts(events)
    next_E[last] = events.location_E[last]
    return next_E


def moment(time_E: Ints) -> Floats:
    """Return season, celebrations and time of the week [E, S], and whether the time is known."""
    known_E1 = (time_E >= 0)[:, None]
    year, week = time_E / _YEAR, (time_E - _MONDAY) / _WEEK
    columns = [_waves(year, _SEASON), run_ups(time_E), _waves(week, _TIMES_OF_WEEK), known_E1]
    return (np.concatenate(columns, axis=1) * known_E1).astype(np.float32)


def gap(events: Sequences, session_hours: float) -> Floats:
    """Return how long after each event the next item is asked for [E, S], and how far the session has come.

    A session ends where nothing follows for `session_hours`.
    """
    next_time_E = asked_moments(events)
    known_E = (events.time_E >= 0) & (next_time_E >= 0)
    seconds_E = np.where(known_E, next_time_E - events.time_E, 0).clip(min=0)
    columns = [np.log1p(seconds_E / unit) / 4 for unit in _GAPS]
    same_E = seconds_E <= session_hours * 3_600
    columns += [same_E.astype(np.float64), np.log1p(_events_of_session(events, same_E)), np.ones(len(known_E))]
    return (np.stack(columns, axis=1) * known_E[:, None]).astype(np.float32)


def run_ups(time_E: Ints) -> Floats:
    """Return how near each celebration is [E, 9]: 1 on its day, before it e to the minus days / run-up."""
    day_E = time_E // DAY
    if not len(day_E):
        return np.zeros((0, len(_celebrations(1970))), np.float32)
    years = range(1970 + int(day_E.min() // 366), 1972 + int(day_E.max() // 365))
    date_YC = np.array([[(day - date(1970, 1, 1)).days for day in _celebrations(year)] for year in years])
    until = [dates[np.searchsorted(dates, day_E)] - day_E for dates in date_YC.T]
    return np.exp(-np.stack(until, axis=1) / _RUN_UP).astype(np.float32)


def _celebrations(year: int) -> list[date]:
    """New Year's Eve, Valentine's, Easter, Mother's and Father's Day, 4 July, Halloween, Black Friday, Christmas."""
    return [
        date(year, 12, 31),
        date(year, 2, 14),
        easter(year),
        _weekday(year, 5, 6, 2),
        _weekday(year, 6, 6, 3),
        date(year, 7, 4),
        date(year, 10, 31),
        _weekday(year, 11, 3, 4) + timedelta(days=1),
        date(year, 12, 25),
    ]


def easter(year: int) -> date:
    """Return Easter Sunday of the Gregorian calendar (the anonymous computus)."""
    century, rest = divmod(year, 100)
    epact = (19 * (year % 19) + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    to_sunday = (32 + 2 * (century % 4) + 2 * (rest // 4) - epact - rest % 4) % 7
    shift = (year % 19 + 11 * epact + 22 * to_sunday) // 451
    month, day = divmod(epact + to_sunday - 7 * shift + 114, 31)
    return date(year, month, day + 1)


def _weekday(year: int, month: int, weekday: int, which: int) -> date:
    """Return the `which`-th such weekday (0 Monday) of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (which - 1))


def _waves(turn_E: np.ndarray, harmonics: int) -> np.ndarray:
    """Return sine and cosine of so many harmonics [E, 2 * harmonics]; a turn is 1."""
    angle = 2 * np.pi * turn_E[:, None] * np.arange(1, harmonics + 1)
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=1)


def _events_of_session(events: Sequences, goes_on_E: Bools) -> Ints:
    """Return the number of each event in its session, from 1; `goes_on_E` says whether the next one is in it too."""
    begins_E = np.append(True, ~goes_on_E[:-1])[: len(goes_on_E)]
    begins_E[events.start_U[events.length_U > 0]] = True
    place_E = np.arange(len(begins_E))
    return place_E - np.maximum.accumulate(np.where(begins_E, place_E, 0)) + 1


def _lasts(events: Sequences) -> Ints:
    has_events_U = events.length_U > 0
    return (events.start_U + events.length_U - 1)[has_events_U]
