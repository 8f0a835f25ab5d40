"""`recsys forget`: afterwards nothing that was made from the dumps names the person, and nobody else loses anything."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from recsys_jobs.contracts import lake_lock
from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.tables import EMBEDDINGS, INGEST_FILES, INTERACTIONS, QUARANTINE, RECOMMENDATIONS, REVIEWS
from recsys_jobs.data.from_lake import load_dataset
from recsys_jobs.lake import delta
from recsys_jobs.operations.erasure.forget import forget
from recsys_jobs.publishing.republish import republish_latest
from tests.components import shop

pytestmark = pytest.mark.slow

WHO, NEIGHBOUR = "AUSER03X", "AUSER03XY"  # the neighbour's id begins with theirs
PRINT = "f" * 64
of_factors_or_a_blend = pytest.mark.parametrize("home", ["bpr_mf", "ease_lightgcn"], indirect=True)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None, request: pytest.FixtureRequest) -> Path:
    """Two published nights, the second registered; rejected lines, pages and logs that name the person."""
    registers = getattr(request, "param", "bpr_mf")
    place = shop.place(tmp_path, monkeypatch)
    shop.land(tmp_path / "landing")
    shop.stock(place)
    write_the_rest(place)
    shop.snapshot(place, shop.FIRST)
    shop.publish(shop.FIRST, "item_knn")
    shop.snapshot(place, shop.NIGHT)
    register(shop.NIGHT, registers)
    for page in ("data_docs/validations/a.html", "logs/night.log", "reports/night.html"):
        (tmp_path / page).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / page).write_text(f"<td>user_id={WHO}, {NEIGHBOUR}</td>", encoding="utf-8")
    return tmp_path


def write_the_rest(place: Path) -> None:
    line = {"path": "shop/reviews/a.json", "fingerprint": PRINT, "dataset": "shop", "reason": "bad_rating"}
    shop.write(place, QUARANTINE, [
        line | {"position": 1, "raw": f'{{"reviewerID": "{WHO}", "overall": 9}}', "detail": "rating=9"},
        line | {"position": 2, "raw": f'{{"reviewerID": "{NEIGHBOUR}", "overall": 9}}', "detail": "rating=9"},
    ])  # fmt: skip
    rows = len(shop.events(shop.NIGHT))
    shop.write(place, INGEST_FILES, [
        {"path": "shop/reviews/a.json", "fingerprint": PRINT, "dataset": "shop", "kind": "reviews", "bytes": 1,
         "rows_read": rows + 2, "rows_good": rows, "rows_quarantined": 2, "rows_duplicate": 0, "state": "accepted",
         "ingested_at": datetime(2024, 1, 2, tzinfo=UTC)}
    ])  # fmt: skip
    texts = [f"t{user}" for user in shop.USER_IDS]
    shop.write(place, EMBEDDINGS, [{"encoder": "mini", "content_hash": t, "vector": [1.0]} for t in texts])


def register(day: date, name: str) -> None:
    from recsys_jobs.registry.register import register_fit

    fit = shop.publish(day, name)
    version = register_fit(day, fit, load_dataset(day, shop.SETTINGS))
    assert shop.publish(day, name, version).run_id == fit.run_id


def naming(folder: Path, word: str) -> Iterator[Path]:
    """Every file under `folder` whose bytes, or whose decoded columns where it is Parquet, hold the word."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        if path.suffix == ".parquet":
            found = word in repr(pq.ParquetFile(path).read().to_pylist())
        else:
            found = word.encode() in path.read_bytes()
        if found:
            yield path.relative_to(folder)


@of_factors_or_a_blend
def test_nothing_that_was_made_from_the_dumps_names_them(home: Path) -> None:
    before = {str(path.parts[0]) for path in naming(home, WHO)}
    assert {"shop", "mlflow", "landing", "data_docs", "logs", "reports"} <= before
    forget(WHO)
    left = [path for path in naming(home, WHO) if path.parts[0] != "landing"]
    assert {str(path.parts[0]) for path in left} == {"shop", "data_docs", "logs", "reports"}, "the neighbour's alone"
    assert not [path for path in left if WHO in without_neighbour(home / path)]
    assert [path.parts[0] for path in naming(home, WHO) if path.parts[0] == "landing"] == ["landing"]


def without_neighbour(path: Path) -> str:
    is_table = path.suffix == ".parquet"
    text = repr(pq.ParquetFile(path).read().to_pylist()) if is_table else path.read_bytes().decode("latin-1")
    return text.replace(NEIGHBOUR, "")


def test_it_says_what_it_removed_and_which_models_knew_them(home: Path) -> None:
    said = forget(WHO)
    assert "embeddings 1, quarantine 1, interactions 8, recommendations 8, reviews 4" in said
    assert "item_knn (serving fit, cut 2024-01-01" in said and "its weights hold no row of one person" in said
    assert "bpr_mf (serving fit, cut 2024-01-02" in said and "their row of its factors is removed" in said
    assert "landing/shop/reviews/a.json names them" in said


def test_everybody_else_keeps_everything(home: Path) -> None:
    tables = (REVIEWS, INTERACTIONS, RECOMMENDATIONS)
    before = {table: delta.read(table).to_pandas().query("user_id != @WHO").reset_index(drop=True) for table in tables}
    forget(WHO)
    for table in tables:
        pd.testing.assert_frame_equal(delta.read(table).to_pandas(), before[table])
    raws = delta.read(QUARANTINE, columns=["position", "reason", "raw"]).to_pylist()
    assert [(row["position"], row["raw"] is None) for row in raws] == [(1, True), (2, False)]
    [file] = delta.read(INGEST_FILES).to_pylist()
    assert file["rows_read"] == file["rows_good"] + file["rows_quarantined"] + file["rows_duplicate"]
    assert file["rows_duplicate"] == 4


@of_factors_or_a_blend
def test_the_newest_night_can_still_be_published_again(home: Path) -> None:
    before = delta.read_date(RECOMMENDATIONS, shop.NIGHT).to_pandas().query("user_id != @WHO").reset_index(drop=True)
    forget(WHO)
    republish_latest()
    pd.testing.assert_frame_equal(delta.read_date(RECOMMENDATIONS, shop.NIGHT).to_pandas(), before)


@of_factors_or_a_blend
def test_the_registered_model_no_longer_knows_them_and_answers_others_as_before(home: Path) -> None:
    import mlflow

    from recsys_jobs.registry import mlflow_client

    asked = pd.DataFrame({"user_id": shop.USER_IDS})
    uri = f"models:/{mlflow_client.registered_name()}/1"
    before = mlflow.pyfunc.load_model(uri).predict(asked).query("user_id != @WHO").reset_index(drop=True)
    forget(WHO)
    pd.testing.assert_frame_equal(mlflow.pyfunc.load_model(uri).predict(asked), before, atol=1e-6)


def test_forgetting_twice_is_forgetting_once(home: Path) -> None:
    forget(WHO)
    version = delta.read(REVIEWS).num_rows
    assert "none were left" in forget(WHO)
    assert delta.read(REVIEWS).num_rows == version


def test_a_stranger_is_an_error_and_is_not_listed(home: Path) -> None:
    with pytest.raises(UsageError, match="nothing in .* names 'auser03x'"):
        forget("auser03x")
    assert not (delta.lake_root() / "forgotten.json").exists()


def test_it_waits_for_no_running_step_but_says_so(home: Path) -> None:
    with lake_lock.step(), pytest.raises(JobError, match="an erasure must wait: a step of a night is at work"):
        forget(WHO)
