"""`recsys publish --latest`: what was put on the blocklist leaves the newest night at once, and nobody gets less."""

from __future__ import annotations

from pathlib import Path

import pytest

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.tables import POPULAR_ITEMS, RECOMMENDATIONS, SIMILAR_ITEMS
from recsys_jobs.lake import delta
from recsys_jobs.publishing.republish import republish_latest
from tests.components import shop

pytestmark = pytest.mark.slow

ACME = {item for item, brand in shop.BRANDS.items() if brand == "Acme"}


@pytest.fixture(params=["bpr_mf", "item_knn"])
def published(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None) -> str:
    """Two nights of a family that folds, and of one that does not."""
    place = shop.place(tmp_path, monkeypatch)
    shop.stock(place)
    for day in (shop.FIRST, shop.NIGHT):
        shop.snapshot(place, day)
        shop.publish(day, request.param)
    return str(request.param)


def shown(day: object) -> list[tuple[str, int, str]]:
    rows = delta.read_date(RECOMMENDATIONS, day, ["user_id", "rank", "item_id"])  # type: ignore[arg-type]
    return [(r["user_id"], r["rank"], r["item_id"]) for r in rows.to_pylist()]


def test_what_is_blocked_leaves_the_newest_night_and_everybody_still_gets_k(published: str) -> None:
    before, old = shown(shop.NIGHT), shown(shop.FIRST)
    assert ACME & {item for _, _, item in before}
    version = delta.version(RECOMMENDATIONS)
    (delta.lake_root() / "blocklist.csv").write_text("kind,value,reason\nbrand,ACME,dispute\nitem,i01,recalled\n")
    assert republish_latest() == shop.NIGHT
    after = shown(shop.NIGHT)
    assert not (ACME | {"i01"}) & {item for _, _, item in after}
    assert len(after) == len(before) == shop.USERS * shop.SETTINGS.k
    assert delta.version(RECOMMENDATIONS) == (version or 0) + 1, "one commit: a reader sees the old slates or the new"
    assert shown(shop.FIRST) == old, "an older night is history"
    for table, names in ((SIMILAR_ITEMS, ("item_id", "similar_item_id")), (POPULAR_ITEMS, ("item_id",))):
        rows = delta.read_date(table, shop.NIGHT)
        for name in names:
            assert not (ACME | {"i01"}) & set(rows[name].to_pylist())


def test_without_a_blocklist_the_same_slates_stand_again(published: str) -> None:
    before = shown(shop.NIGHT)
    republish_latest()
    assert shown(shop.NIGHT) == before


def test_a_bad_line_publishes_nothing(published: str) -> None:
    version = delta.version(RECOMMENDATIONS)
    (delta.lake_root() / "blocklist.csv").write_text("kind,value\nshop,Acme\n")
    with pytest.raises(JobError, match=r"blocklist.csv, line 2: 'shop' is no kind"):
        republish_latest()
    assert delta.version(RECOMMENDATIONS) == version
