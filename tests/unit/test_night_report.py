"""The report of a night against the night before: three people, numbers counted by hand, markup that stays text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.contracts.tables import (
    CONTENTS,
    INGEST_FILES,
    INTERACTIONS,
    ITEM_EDGES,
    ITEMS,
    MODEL_METRICS,
    QUARANTINE,
    RECOMMENDATIONS,
)
from recsys_jobs.lake import delta
from recsys_jobs.lake.sql import connect
from recsys_jobs.night import report_page
from recsys_jobs.night.report.drift import drift, smirnov_distance
from recsys_jobs.night.report.numbers import QUERIES, QueryResult, last_nights, run_query
from recsys_jobs.night.report.sections import sections
from recsys_jobs.night.report.stages import Stage, parse_seconds, stages
from recsys_jobs.promotion.gate import Decision
from tests.unit.test_exam_data import delta_table

BEFORE, NIGHT, LATER = date(2014, 2, 1), date(2014, 3, 1), date(2014, 3, 2)
NIGHTS = [BEFORE, NIGHT]
MARKUP = "<script>alert('x')</script> & \"$\\frac{1}{0}$\""
# night, person, item, in the core
HAD = [
    *[(BEFORE, "ann", "i1", True), (BEFORE, "bob", "i1", False)],
    *[(NIGHT, "ann", "i1", True), (NIGHT, "ann", "i3", True), (NIGHT, "bob", "i1", False), (NIGHT, "eve", "i2", False)],
]
# the night before ann saw i2, i3 (which she has had since) and i4, bob i2 and i3
SHOWN = {
    BEFORE: {"ann": ["i2", "i3", "i4"], "bob": ["i2", "i3"]},
    NIGHT: {"ann": ["i2", "i5"], "bob": ["i3", "i2"], "eve": ["i1"]},
    LATER: {"ann": ["i9"]},
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("shop")
    for table, rows in tables().items():
        delta_table(folder, TABLE[table], rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECSYS_LAKE", str(folder))
        yield folder


TABLE = {
    t.name: t
    for t in (CONTENTS, INGEST_FILES, INTERACTIONS, ITEM_EDGES, ITEMS, MODEL_METRICS, QUARANTINE, RECOMMENDATIONS)
}


def tables() -> dict[str, list[dict[str, Any]]]:
    at = datetime(2014, 1, 1, tzinfo=UTC)
    places = [
        {"run_date": night, "user_id": user, "rank": rank, "item_id": item, "score": 1.0 / rank, "model_name": "shop"}
        for night, slates in SHOWN.items()
        for user, slate in slates.items()
        for rank, item in enumerate(slate, 1)
    ]
    files = [
        ("old", None, "accepted"),
        ("new", NIGHT, "accepted"),
        (MARKUP, NIGHT, "refused"),
        ("late", LATER, "refused"),
    ]
    text, image = {"modality": "text"}, {"modality": "image"}
    whole = [
        {"as_of": night, "item_id": f"i{n}"} | kind
        for night in NIGHTS
        for n in range(1, 6)
        for kind in (
            text | {"content_hash": "h", "reason": None if n > 1 else "no_description"},
            image | {"reason": "no_url"},
        )
    ]
    whole[1] |= {"content_hash": "p", "reason": None}  # i1 had a photo the night before
    metric = {"recipe": MARKUP, "slice": "all", "metric": "ndcg", "k": 3, "low": 0.1, "high": 0.3, "users": 7}
    return {
        "recommendations": places,
        "interactions": [
            {
                "as_of": n,
                "user_id": u,
                "item_id": i,
                "in_core": core,
                "interacted_at": at,
                "text_hash": "t" if u == "ann" else None,
            }
            for n, u, i, core in HAD
        ],
        "contents": whole,
        "item_edges": [{"as_of": NIGHT, "src": "i1", "dst": "i2", "kind": "co_review", "weight": 1.0}],
        "items": [{"item_id": f"i{n}", "item_hash": "h", "title": MARKUP} for n in range(1, 6)],
        "ingest_files": [
            {"path": p, "fingerprint": p, "landed_on": d, "state": s, "message": MARKUP, "rows_read": 3, "rows_good": 1}
            for p, d, s in files
        ],
        "quarantine": [
            {"path": path, "fingerprint": path, "position": n, "reason": reason}
            for path, n, reason in [
                ("old", 1, "bad_id"),
                ("new", 1, "bad_id"),
                ("new", 2, "bad_rating"),
                ("late", 1, "bad_id"),
            ]
        ],
        "model_metrics": [metric | {"run_date": night, "value": 0.2} for night in NIGHTS],
    }


def asked(name: str) -> QueryResult:
    return run_query(connect(), name, NIGHTS, 3)


def test_the_nights_are_those_published_up_to_it(shop: Path) -> None:
    assert last_nights(connect(), NIGHT) == NIGHTS
    assert last_nights(connect(), LATER) == [*NIGHTS, LATER]
    assert last_nights(connect(), date(2014, 1, 1)) == []


def test_volumes_by_hand(shop: Path) -> None:
    assert asked("volumes").rows == [(BEFORE, 2, 5, 2, 1, 0, 5), (NIGHT, 3, 5, 4, 2, 1, 5)]


def test_quarantine_counts_what_landed_by_then_and_what_is_new(shop: Path) -> None:
    assert asked("quarantine").rows == [("bad_id", 2, 1), ("bad_rating", 1, 1)]
    assert asked("files").rows == [("accepted", 2, 1, 6, 2, 0, 0), ("refused", 1, 1, 3, 1, 0, 0)]
    assert asked("refused").rows == [(MARKUP, MARKUP)]


def test_coverage_of_the_modalities_by_hand(shop: Path) -> None:
    """Of five items all have text, four a description; one had a photo, two have an edge; ann wrote a review."""
    assert asked("coverage").rows == [
        (BEFORE, 1.0, 0.8, 0.2, 0.0, 0.5),
        (NIGHT, 1.0, 0.8, 0.0, 0.4, pytest.approx(1 / 3)),
    ]


def test_cold_people_and_items_by_hand(shop: Path) -> None:
    """The core of the night has ann, i1 and i3: of five places i3 and i1 are warm, of four items two."""
    night = asked("cold").rows[1]
    assert night[1:] == (3, pytest.approx(2 / 3), pytest.approx(3 / 5), 4, pytest.approx(2 / 4))


def test_an_item_that_one_has_had_since_is_no_drift(shop: Path) -> None:
    """Ann sees i2 of i2 and i4 again; bob sees both again; eve is new."""
    found = drift(connect(), NIGHTS)
    assert found is not None and found.overlap_U.tolist() == [0.5, 1.0]
    assert found.overlap == 0.75
    assert found.alerts(Settings(min_night_overlap=0.75)) == []
    [told] = found.alerts(Settings(min_night_overlap=0.8))
    assert told == "only 75.0% of the places of 2014-02-01 are shown again, less than min_night_overlap = 80%"


def test_scores_of_other_models_are_not_compared(shop: Path) -> None:
    found = drift(connect(), NIGHTS)
    assert found is not None and found.score_distance == pytest.approx(3 / 5 - 2 / 5)
    assert "more than max_score_drift = 0.1" in found.alerts(Settings(max_score_drift=0.1))[0]
    assert drift(connect(), [NIGHT]) is None


@given(st.lists(st.integers(-3, 3), min_size=1), st.lists(st.integers(-3, 3), min_size=1))
def test_the_distance_is_kolmogorov_s(one: list[int], other: list[int]) -> None:
    ours = smirnov_distance(np.sort(np.array(one, float)), np.sort(np.array(other, float)))
    assert ours == pytest.approx(ks_2samp(one, other, method="asymp").statistic)


def test_stages_have_airflow_s_seconds_and_the_tables_rows(shop: Path) -> None:
    found = stages(connect(), NIGHT, {"train.recipe": 2.5, "recommend.publish": 1.0, "ingest.dumps": 9.0})
    assert found[0] == Stage("ingest.dumps", 9.0, 3) and found[-1] == Stage("recommend.publish", 1.0, 5)
    assert Stage("train.recipe", 2.5, None) in found and Stage("validate.snapshots", None, 4) in found
    with pytest.raises(UsageError, match="JSON object of task names"):
        parse_seconds("[1]")


def test_markup_in_titles_ids_and_messages_stays_text(shop: Path) -> None:
    timed = stages(connect(), NIGHT, {MARKUP: 1.0})
    found = list(sections(connect(), NIGHTS, 3, drift(connect(), NIGHTS), timed))
    rows = delta.read_date(MODEL_METRICS, NIGHT).to_pylist()
    decision, pictures = Decision("passed", MARKUP, MARKUP), report_page.metric_pictures(rows, 3)
    page = report_page.render(MARKUP, decision, {MARKUP: MARKUP}, rows, 3, pictures, found, [MARKUP])
    assert "<script" not in page and page.count("&lt;script&gt;") > 10
    assert not re.search(r'(src|href)="(?!data:image/png;base64,)', page)  # nothing is fetched from elsewhere
    assert all(section.heading in page for section in found if "<" not in section.heading)
    assert page.count("data:image/png;base64") >= 6


def test_a_lake_without_anything_but_slates_still_has_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_LAKE", str(tmp_path))
    delta_table(tmp_path, RECOMMENDATIONS, tables()["recommendations"][:1])
    assert all(run_query(connect(), name, [BEFORE], 3).columns for name in QUERIES)
    page = report_page.render(
        "t", Decision("passed", "r", "w"), {}, [], 3, {}, list(sections(connect(), [BEFORE], 3, None, []))
    )
    assert "This is the first night." in page and "Nothing is in quarantine." in page
