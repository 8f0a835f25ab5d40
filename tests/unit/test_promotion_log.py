"""What the log of decisions says after one sequence of moves or another; rows typed by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from recsys_jobs.promotion.serving_rules import champion_row, hold, open_moves, previous_version, rejected_versions

Row = dict[str, Any]
MAY = {day: date(2024, 5, day) for day in range(1, 11)}


def row(kind: str, day: int, version: int | None, **more: Any) -> Row:
    plain = {"rejected_version": None, "moves_alias": None, "decision": "passed"}
    done = {"completed_at": datetime(2024, 6, 1, tzinfo=UTC)}
    return {"kind": kind, "effective_date": MAY[day], "model_version": version} | plain | done | more


def night(day: int, version: int | None, moves: bool = True) -> Row:
    return row("publish", day, version, moves_alias=moves)


def rolled_back(day: int, from_: int | None, to: int | None) -> list[Row]:
    """A rollback, and the latest night published again."""
    return [row("rollback", day, to, rejected_version=from_), night(day, to)]


THREE = [night(1, 1), night(2, 2), night(3, 3)]


def test_nights_alone_hold_nothing_and_reject_nothing() -> None:
    assert hold(THREE, MAY[3]) is None
    assert rejected_versions(THREE) == set()
    assert champion_row(THREE) == THREE[2]


def test_a_rollback_goes_to_the_version_before_and_the_second_one_further() -> None:
    assert previous_version(THREE, 3) == 2
    once = THREE + rolled_back(3, 3, 2)
    assert (previous_version(once, 2), rejected_versions(once)) == (1, {3})
    twice = once + rolled_back(3, 2, 1)
    assert (previous_version(twice, 1), rejected_versions(twice)) == (None, {2, 3})


def test_a_rollback_holds_from_its_night_on_and_not_before() -> None:
    rows = THREE + rolled_back(3, 3, 2)
    assert hold(rows, MAY[2]) is None
    assert [held.version for day in (3, 4, 9) if (held := hold(rows, MAY[day]))] == [2, 2, 2]


def test_a_release_frees_the_nights_after_it_and_reruns_stay_held() -> None:
    rows = [*THREE, *rolled_back(3, 3, 2), row("release", 4, 2)]
    held = hold(rows, MAY[3])
    assert held is not None and held.version == 2
    assert hold(rows, MAY[4]) is None
    assert rejected_versions(rows) == {3}


def test_what_was_decided_last_counts_even_where_it_holds_from_an_earlier_night() -> None:
    rows = [*THREE, *rolled_back(3, 3, 2), row("release", 4, 2), *rolled_back(3, 2, 1)]
    held = hold(rows, MAY[4])
    assert held is not None and held.version == 1


def test_who_is_promoted_is_rejected_no_more() -> None:
    rows = [*THREE, *rolled_back(3, 3, 2), row("promote", 3, 3), night(3, 3)]
    assert rejected_versions(rows) == set()
    assert previous_version(rows, 3) == 2


def test_a_night_that_published_the_floor_is_passed_over() -> None:
    rows = [night(1, 1), night(2, None, moves=False), night(3, 3)]
    assert previous_version(rows, 3) == 1
    assert previous_version([*rows, night(4, None, moves=False)], None) == 3  # the floor serves: back to the champion


def test_an_older_night_that_moved_no_alias_is_nobody_s_predecessor() -> None:
    assert previous_version([*THREE, night(1, 7, moves=False)], 3) == 2


def test_later_nights_are_left_out_where_a_date_is_named() -> None:
    assert previous_version(THREE, 1, until=MAY[1]) is None
    assert previous_version(THREE, 3, until=MAY[2]) == 2


def test_a_hand_is_a_promotion() -> None:
    rows = [*THREE, row("by_hand", 4, 1)]
    held = hold(rows, MAY[4])
    assert held is not None and held.version == 1
    assert champion_row(rows) == rows[-1]
    assert hold(rows, MAY[3]) is None


def test_what_was_given_up_never_held() -> None:
    rows = [
        *THREE,
        row("promote", 3, 1, decision="failed"),
        row("rollback", 3, 2, rejected_version=3, decision="failed"),
    ]
    assert hold(rows, MAY[3]) is None
    assert rejected_versions(rows) == set()


def test_open_rows_are_the_moves_without_an_end() -> None:
    cut_off = night(4, 4) | {"completed_at": None}
    verdict = row("gate", 4, None, completed_at=None)
    assert open_moves([*THREE, verdict, cut_off]) == [cut_off]
