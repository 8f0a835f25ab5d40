"""The Thrift server over a small lake, asked by the `beeline` that pyspark brings."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyspark
import pytest

from recsys_jobs.contracts.tables import RECOMMENDATIONS
from recsys_jobs.lake import delta
from spark.toolchain import ensure_java

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

OLD, NEW = date(2024, 1, 1), date(2024, 1, 2)
SPARK = Path(pyspark.__file__).parent


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server over two published nights answers."""
    home = tmp_path_factory.mktemp("thrift")
    for night, item in ((OLD, "cup"), (NEW, "mug")):
        row = {"run_date": night, "user_id": "ann", "rank": 1, "item_id": item, "score": 1.0, "model_name": "m"}
        rows = pa.Table.from_pylist([row | {"model_fingerprint": "f"}], delta.arrow_schema(RECOMMENDATIONS))
        delta.replace_date(RECOMMENDATIONS, night, rows, home / "shop")
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = str(probe.getsockname()[1])
    places = {"RECSYS_LAKE": str(home / "shop"), "RECSYS_VAR": str(home / "var"), "RECSYS_THRIFT_PORT": port}
    with (home / "log").open("w") as log:
        command = [sys.executable, "-m", "spark.thrift"]
        server = subprocess.Popen(command, env=os.environ | places, stdout=log, stderr=subprocess.STDOUT)
    try:
        while "serving recommendations on" not in (home / "log").read_text():
            assert server.poll() is None, (home / "log").read_text()
            time.sleep(0.2)
        yield f"jdbc:hive2://127.0.0.1:{port}/default"
    finally:
        server.terminate()
        server.wait(30)


def ask(address: str, sql: str) -> subprocess.CompletedProcess[str]:
    ensure_java()
    command = [str(SPARK / "bin" / "beeline"), "-u", address, "--silent=true", "--outputformat=csv2", "-e", sql]
    environment = os.environ | {"SPARK_HOME": str(SPARK)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_the_newest_slates_are_read_by_name(address: str) -> None:
    done = ask(address, "select item_id, user_id from recommendations_latest")
    assert done.stdout.split()[-2:] == ["item_id,user_id", "mug,ann"], done.stderr
    assert done.returncode == 0


def test_a_table_that_was_never_published_is_not_there(address: str) -> None:
    done = ask(address, "select * from embeddings")
    assert done.returncode != 0
    assert "TABLE_OR_VIEW_NOT_FOUND" in done.stderr
