"""`recsys status`: one screen of an empty home, and of a lake with nights."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recsys_jobs.operations.status import status_lines
from tests.components import pages_shop, shop

NOW = datetime(2024, 1, 3, 6, tzinfo=UTC)


def test_an_empty_home_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.place(tmp_path, monkeypatch)
    lines = status_lines(NOW)
    assert lines[0].startswith("night     nothing is published yet: make demo")
    assert "none is up" in lines[-2]
    assert "GB free" in lines[-1]


def test_it_says_what_serves_how_old_it_is_and_when_that_is_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages_shop.open_shop(shop.place(tmp_path, monkeypatch))
    night, serves, why, *_ = status_lines(NOW)
    assert night == "night     2024-01-02 is the last that is published; its day ended 6 hours ago"
    assert serves == "serves    shop-recommender version 2, recipe recent_sage, 26 people"
    assert why == "why       ahead of the floor"
    assert "ended 3 days ago: late" in status_lines(NOW + timedelta(days=3))[0]
