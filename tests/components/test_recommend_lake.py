"""`recsys recommend` without data: the model that the lake published is asked again."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from recsys_jobs.commands.recommend.command import recommend
from recsys_jobs.commands.recommend.options import RecommendOptions
from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.tables import RECOMMENDATIONS
from recsys_jobs.lake import delta
from tests.components import shop

pytestmark = pytest.mark.slow

WHO = shop.USER_IDS[:2]


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None) -> Path:
    """Two published nights."""
    place = shop.place(tmp_path, monkeypatch)
    shop.stock(place)
    for day in (shop.FIRST, shop.NIGHT):
        shop.snapshot(place, day)
        shop.publish(day, "bpr_mf")
    return tmp_path


def slates(day: date) -> dict[str, list[str]]:
    rows = delta.read_date(RECOMMENDATIONS, day, ["user_id", "rank", "item_id"]).to_pylist()
    return {user: [row["item_id"] for row in rows if row["user_id"] == user] for user in WHO}


def asked(out: Path, **how: object) -> dict[str, list[str]]:
    recommend(RecommendOptions(users=tuple(WHO), k=shop.SETTINGS.k, out=out, **how))  # type: ignore[arg-type]
    return {one["user_id"]: [item["item_id"] for item in one["items"]] for one in json.loads(out.read_text())["slates"]}


def test_people_get_what_their_night_published(published: Path) -> None:
    assert asked(published / "new.json") == slates(shop.NIGHT)
    assert asked(published / "old.json", run_date=shop.FIRST) == slates(shop.FIRST)


def test_what_is_on_the_blocklist_by_now_is_left_out(published: Path) -> None:
    first = slates(shop.NIGHT)[WHO[0]][0]
    (delta.lake_root() / "blocklist.csv").write_text(f"kind,value,reason\nitem,{first},recalled\n")
    found = asked(published / "new.json")[WHO[0]]
    assert first not in found
    assert len(found) == shop.SETTINGS.k


def test_a_night_that_was_not_published_is_a_wrong_call(published: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing is published on 2030-01-01; published nights: 2024-01-01 to 2024-"):
        recommend(RecommendOptions(users=tuple(WHO), run_date=date(2030, 1, 1)))
