"""What a night holds ready to be published: Parquet shards under `<lake>/_staging/<run_date>`, which no reader sees."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.fault_injection import kill_point
from recsys_jobs.contracts.settings import lake_root
from recsys_jobs.contracts.tables import Table
from recsys_jobs.lake.delta import arrow_schema

_DONE = "_DONE"  # written last: a folder without it is half a table


def night_folder(run_date: date) -> Path:
    """Where everything that is staged for one date stands."""
    return lake_root() / "_staging" / str(run_date)


def folder(table: Table, run_date: date) -> Path:
    """Where the shards of one table and date stand."""
    return night_folder(run_date) / table.name


def write(table: Table, run_date: date, shards: Iterable[pa.Table]) -> int:
    """Replace the staged shards; return how many rows they have."""
    path = folder(table, run_date)
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    rows = 0
    for number, shard in enumerate(shards):
        conformed = shard.select(table.names).cast(arrow_schema(table))
        pq.write_table(conformed, path / f"{number:05d}.parquet")
        rows += conformed.num_rows
    kill_point("staging:shards")
    (path / _DONE).touch()
    return rows


def read(table: Table, run_date: date) -> pa.Table:
    """The staged rows; JobError where the shards are missing or half there."""
    if not is_whole(table, run_date):
        raise JobError(
            f"nothing is staged for {table.name} of {run_date}: run python -m recsys_jobs.night.top_k for it first"
        )
    shards = sorted(str(path) for path in folder(table, run_date).glob("*.parquet"))
    return ds.dataset(shards, schema=arrow_schema(table)).to_table()


def is_whole(table: Table, run_date: date) -> bool:
    """Whether everything of one table and date is staged."""
    return (folder(table, run_date) / _DONE).exists()


def clear(run_date: date) -> None:
    """Remove the shards of a date; the files beside them stay, for a task that is cleared later and runs alone."""
    for shards in night_folder(run_date).glob("*/"):
        shutil.rmtree(shards, ignore_errors=True)
