"""A small shop's lake for the pages: two nights by hand, pictures, and what a hostile dump may bring.

Each user has the items that `shop.events` gives them; the first night shows everybody i00 to i03, the second i02 to
i05 in turn, so that two places are shown again.
"""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from PIL import Image

from recsys_jobs.contracts.tables import (
    CONTENTS,
    CUTS,
    INGEST_FILES,
    INTERACTIONS,
    ITEM_IMAGES,
    ITEMS,
    MODEL_METRICS,
    PROMOTIONS,
    PUBLICATIONS,
    QUARANTINE,
    RECOMMENDATIONS,
    SIMILAR_ITEMS,
)
from recsys_jobs.images import store
from tests.components import shop
from tests.components.shop import FIRST, ITEM_IDS, NIGHT, USER_IDS

MARKUP = "<script>document.title='taken'</script><img src=x onerror=alert(1)>"
TURNED = "\u202egnp.exe\u202c \u2066kite"
LONG = "a very long title " * 3400  # 61,200 characters
HOSTILE_ITEM = "i<b>&\"'/../?x=1#y"
HOSTILE_USER = 'A</td><script>alert("u")</script>&id=1\u202e'
LONG_USER = "A" + "x" * 60_000
PICTURED = ITEM_IDS[:6]
EVERYBODY = sorted([*USER_IDS, HOSTILE_USER, LONG_USER])


def open_shop(lake: Path) -> str:
    """Write the lake; return the hash of the picture that the first items share."""
    picture = store.put(lake, jpeg())
    shop.write(lake, ITEMS, [_version(item, f"Item {item}", None) for item in ITEM_IDS])
    hostile = [_version(HOSTILE_ITEM, MARKUP, FIRST), _version(ITEM_IDS[3], TURNED, FIRST)]
    shop.write(lake, ITEMS, [*hostile, _version(ITEM_IDS[4], LONG, FIRST), _version(ITEM_IDS[5], "New title", NIGHT)])
    tried = {"item_id": HOSTILE_ITEM, "source": "http://x/<b>", "state": "corrupt", "detail": "<i>no</i> JPEG"}
    shop.write(lake, ITEM_IMAGES, [tried | {"checked_on": NIGHT}])
    for number, night in enumerate((FIRST, NIGHT)):
        _snapshot(lake, night, picture)
        _publish(lake, night, number)
    _land(lake)
    return picture


def jpeg(colour: str = "teal") -> bytes:
    """A small picture."""
    file = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(file, "JPEG")
    return file.getvalue()


def _version(item: str, title: str, landed: date | None) -> dict[str, Any]:
    known = {"title": title, "brand": "Acme", "price": 9.5, "description": f"about {title[:40]}"}
    key = {"dataset": "shop", "item_id": item, "item_hash": f"h{item}{landed}", "landed_on": landed}
    return key | known | {"path": "shop/items/a.json"}


def _snapshot(lake: Path, night: date, picture: str) -> None:
    had = [(user, HOSTILE_ITEM, datetime(2023, 7, 1, tzinfo=UTC)) for user in (HOSTILE_USER, LONG_USER)]
    had += shop.events(NIGHT)
    shop.write(lake, INTERACTIONS, [
        {"as_of": night, "user_id": user, "item_id": item, "interacted_at": moment, "rating": 4.0, "in_core": True,
         "split": "train", "review_hash": f"{user[:9]}{item}"} for user, item, moment in had
    ])  # fmt: skip
    rows = []
    for item in [*ITEM_IDS, HOSTILE_ITEM]:
        has = {"content_hash": picture} if item in PICTURED else {"reason": "no_url"}
        rows += [{"as_of": night, "item_id": item, "modality": "text", "content_hash": f"t{item}"}]
        rows += [{"as_of": night, "item_id": item, "modality": "image", **has}]
    shop.write(lake, CONTENTS, rows)
    cut = {"run_date": night, "exam_cut": FIRST, "holdout_users": 9, "holdout_events": 9, "events": len(had)}
    shop.write(lake, CUTS, [cut | {"decidable": True}])


def _publish(lake: Path, night: date, number: int) -> None:
    shown = (ITEM_IDS[:4], [*ITEM_IDS[2:5], HOSTILE_ITEM])[number]
    model = {"model_name": "shop-recommender", "model_version": number + 1, "model_fingerprint": f"f{number}"}
    shop.write(lake, RECOMMENDATIONS, [
        {"run_date": night, "user_id": user, "rank": rank, "item_id": item, "score": 5.0 - rank, **model}
        for user in EVERYBODY for rank, item in enumerate(shown, 1)
    ])  # fmt: skip
    alike = [(ITEM_IDS[0], ITEM_IDS[1]), (ITEM_IDS[0], HOSTILE_ITEM)]
    shop.write(lake, SIMILAR_ITEMS, [
        {"run_date": night, "item_id": item, "rank": rank, "similar_item_id": other, "score": 1 / rank, **model}
        for rank, (item, other) in enumerate(alike, 1)
    ])  # fmt: skip
    shop.write(lake, PUBLICATIONS, [
        {"run_date": night, "recipe": "recent_sage", **model, "seed": 0, "epochs": 3, "users": len(EVERYBODY),
         "settings": json.dumps({"k": 4}), "run_id": "r", "delta_versions": "{}", "code_version": "c",
         "published_at": datetime(2024, 1, 2 + number, 5, tzinfo=UTC)}
    ])  # fmt: skip
    shop.write(lake, PROMOTIONS, [
        {"decision_id": f"g{number}", "kind": "gate", "effective_date": night, "recipe": "recent_sage",
         "model_fingerprint": f"e{number}", "floor": "popularity", "floor_fingerprint": f"p{number}",
         "decision": ("passed", "failed")[number], "publishes": "recent_sage", "reason": "ahead of the floor",
         "decided_at": datetime(2024, 1, 2 + number, 4, tzinfo=UTC)}
    ])  # fmt: skip
    shop.write(lake, MODEL_METRICS, [
        {"run_date": night, "model_name": recipe, "recipe": recipe, "model_fingerprint": recipe, "k": 4, "users": 9,
         "protocol": "global_time", "slice": "all", "metric": "ndcg", "value": value, "low": value / 2,
         "high": value * 2} for recipe, value in (("recent_sage", 0.2), ("popularity", 0.1))
    ])  # fmt: skip


def _land(lake: Path) -> None:
    file = {"fingerprint": "f", "dataset": "shop", "kind": "reviews", "bytes": 9, "rows_read": 9, "rows_good": 8}
    file |= {"rows_duplicate": 0, "landed_on": NIGHT}
    refused = {"path": "shop/reviews/cut.json.gz", "state": "refused", "rows_quarantined": 0, "message": "ends early"}
    odd = {"path": "shop/reviews/<i>.json", "state": "accepted", "rows_quarantined": 1}
    shop.write(lake, INGEST_FILES, [file | refused, file | odd])
    line = {"path": odd["path"], "fingerprint": "f", "dataset": "shop", "position": 7, "reason": "invalid_json"}
    shop.write(lake, QUARANTINE, [line | {"raw": '{"asin": <script>'}])
