"""A lake at a run date: by time it is the night's own exam, by any other protocol its pairs at D are divided."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from recsys_jobs.contracts.settings import Settings
from recsys_jobs.contracts.tables import CONTENTS, CUTS, INTERACTIONS, ITEMS, REVIEWS
from recsys_jobs.data import from_lake
from recsys_jobs.embed import store
from recsys_jobs.embed.registry import encoder_name
from recsys_jobs.exam.options import ExamOptions
from recsys_jobs.exam.prepare import PreparedExam, prepare_exam
from tests.unit.test_exam_data import delta_table

H, D = date(2014, 2, 20), date(2014, 3, 1)
SETTINGS = Settings(user_core=0, item_core=0)
USERS, ITEMS_ = ("u1", "u2", "u3"), ("i1", "i2", "i3", "i4")
# user, item, day of February; the last four before H are its validation part; u3 is new after H
PAIRS = [
    *[("u1", "i1", 1), ("u1", "i2", 2), ("u2", "i1", 3), ("u2", "i3", 4)],
    *[("u1", "i3", 17), ("u2", "i2", 18)],
    *[("u1", "i4", 25), ("u3", "i1", 26), ("u2", "i4", 27)],
]
TEXTS = {item: f"Title of {item}\nand more" for item in ITEMS_} | {
    f"r{n}": f"Good\nsaid {n}" for n in range(len(PAIRS))
}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with one night, every text of which has a vector already: to load an encoder would take seconds."""
    folder = tmp_path_factory.mktemp("lake")
    delta_table(folder, CUTS, [{"run_date": D, "exam_cut": H, "decidable": True}])
    for cut in (H, D):
        delta_table(folder, INTERACTIONS, [row for number in range(len(PAIRS)) for row in interaction(number, cut)])
        delta_table(folder, CONTENTS, [row for item in ITEMS_ for row in standing(item, cut)])
    versions = [
        {"item_id": i, "item_hash": f"h{i}", "title": f"Title of {i}", "description": "and more"} for i in ITEMS_
    ]
    delta_table(folder, ITEMS, [row | {"dataset": "shop"} for row in versions])
    delta_table(folder, REVIEWS, [review(number) for number in range(len(PAIRS))])
    hashes = sorted(map(sha256, TEXTS.values()))
    vectors = np.random.default_rng(0).normal(size=(len(hashes), 4)).astype(np.float32)
    store.append_new(encoder_name(SETTINGS, "text"), hashes, vectors, folder)
    return folder


def interaction(number: int, cut: date) -> list[dict[str, object]]:
    user, item, day = PAIRS[number]
    at = datetime(2014, 2, 1, 12, tzinfo=UTC) + timedelta(days=day - 1)
    if at.date() > cut:
        return []
    split = "validation" if number in (4, 5) and cut == H else "train"
    same = {"as_of": cut, "user_id": user, "item_id": item, "interacted_at": at, "rating": 4.0, "in_core": True}
    return [same | {"split": split, "review_hash": f"r{number}", "text_hash": sha256(TEXTS[f"r{number}"])}]


def standing(item: str, cut: date) -> list[dict[str, object]]:
    same = {"as_of": cut, "item_id": item, "dataset": "shop", "item_hash": f"h{item}"}
    text = {"modality": "text", "content_hash": sha256(TEXTS[item])}
    return [same | text, same | {"modality": "image", "reason": "no_url"}]


def review(number: int) -> dict[str, object]:
    return {
        "review_hash": f"r{number}",
        "title": "Good",
        "text": f"said {number}",
        "reviewed_at": datetime(2014, 2, 1, tzinfo=UTC),
    }


def asked(folder: Path, monkeypatch: pytest.MonkeyPatch, protocol: str = "", final: bool = False) -> PreparedExam:
    monkeypatch.setenv("RECSYS_LAKE", "elsewhere")
    call = ExamOptions(folder, ("popularity",), protocol=protocol, final=final, run_date=D)
    return prepare_exam(call, SETTINGS, lambda line: None)


def pairs(prepared: PreparedExam) -> set[str]:
    scored, holdout = prepared.datasets.score, prepared.datasets.holdout
    return {f"{scored.users[u]} {scored.items[i]}" for u, i in zip(holdout.user_T, holdout.item_T, strict=True)}


def test_by_time_it_is_the_night_s_own_exam(night: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = asked(night, monkeypatch, final=True)
    assert (prepared.protocol, prepared.layout) == ("global_time", "lake")
    assert pairs(prepared) == {"u1 i4", "u2 i4"}  # u3 has no history at H
    datasets = prepared.datasets
    assert len(datasets.score.event_user_E) == len(datasets.train.event_user_E) == 6
    assert datasets.early_stopping.validation_E.sum() == 2 and not datasets.train.validation_E.any()
    assert datasets.score.time_E[0] == datetime(2014, 2, 1, 12, tzinfo=UTC).timestamp()
    assert datasets.score.rating_E.tolist() == [4.0] * 6
    assert (datasets.score.review_E >= 0).all()


def test_without_final_it_asks_for_the_last_part_before_the_holdout(
    night: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = asked(night, monkeypatch)
    assert pairs(prepared) == {"u1 i3", "u2 i2"}
    assert len(prepared.datasets.score.event_user_E) == len(prepared.datasets.train.event_user_E) == 4
    assert prepared.datasets.masked == "train"


def test_any_other_protocol_divides_the_pairs_at_the_run_date(night: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors are the lake's own: the same as the night's, and none is made."""
    prepared = asked(night, monkeypatch, "leave_last_out", final=True)
    assert pairs(prepared) == {"u1 i4", "u2 i4"}
    scored = prepared.datasets.score
    assert scored.text_present_I.all() and (scored.review_E >= 0).all()
    monkeypatch.setenv("RECSYS_LAKE", str(night))
    assert (from_lake.load_dataset(D, SETTINGS).text_IT == scored.text_IT).all()
    assert store.known_hashes(encoder_name(SETTINGS, "text"), [sha256(t) for t in TEXTS.values()], night)


def test_the_same_night_is_the_same_data(night: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_time, by_place = (asked(night, monkeypatch, protocol) for protocol in ("global_time", "leave_last_out"))
    assert by_time.fingerprint == by_place.fingerprint
