"""A commit to a table can be made to die before it, in the middle of it, and after it: by SIGKILL, in a process."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from recsys_jobs.contracts.settings import ROOT
from recsys_jobs.contracts.tables import POPULAR_ITEMS
from recsys_jobs.lake import delta

pytestmark = pytest.mark.slow
DAY = date(2024, 5, 1)
WRITE = """
import sys
from datetime import date
import pyarrow as pa
from recsys_jobs.lake import delta as lake
from recsys_jobs.contracts.tables import POPULAR_ITEMS
rows = [{"run_date": date(2024, 5, 1), "rank": 1, "item_id": sys.argv[1], "users": 1}]
table = pa.Table.from_pylist(rows, lake.arrow_schema(POPULAR_ITEMS))
lake.upsert(POPULAR_ITEMS, table) if sys.argv[2:] else lake.replace_date(POPULAR_ITEMS, date(2024, 5, 1), table)
"""


def write(folder: Path, *arguments: str, kill_at: str = "") -> int:
    environment = os.environ | {"RECSYS_LAKE": str(folder), "PYTHONPATH": str(ROOT), "RECSYS_KILL_AT": kill_at}
    return subprocess.run([sys.executable, "-c", WRITE, *arguments], env=environment, check=False).returncode


def state(folder: Path) -> tuple[list[str], int]:
    """The item that a reader sees, and how many data files there are."""
    files = len(list((folder / POPULAR_ITEMS.name).rglob("*.parquet")))
    return delta.read_date(POPULAR_ITEMS, DAY, ["item_id"], folder)["item_id"].to_pylist(), files


@pytest.mark.parametrize("how", [(), ("merge",)], ids=["a date replaced", "rows merged"])
def test_each_point_leaves_what_its_name_says_and_the_next_write_goes_through(
    tmp_path: Path, how: tuple[str, ...]
) -> None:
    assert write(tmp_path, "old") == 0
    assert write(tmp_path, "new", *how, kill_at="popular_items:before") == -9
    assert state(tmp_path) == (["old"], 1)
    assert write(tmp_path, "new", *how, kill_at="popular_items:files") == -9
    assert state(tmp_path) == (["old"], 2)
    assert write(tmp_path, "new", *how, kill_at="popular_items:after") == -9
    assert state(tmp_path) == (["new"], 3)
    assert write(tmp_path, "newer", *how, kill_at="elsewhere") == 0
    assert state(tmp_path)[0] == ["newer"]


def test_a_table_s_first_commit_can_be_cut_off_too(tmp_path: Path) -> None:
    assert write(tmp_path, "new", kill_at="popular_items:files") == -9
    assert state(tmp_path) == ([], 1)
    assert write(tmp_path, "new") == 0
    assert state(tmp_path)[0] == ["new"]
