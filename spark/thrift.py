"""The Thrift server: the published tables for every client that speaks Hive's protocol (beeline, JDBC, ODBC).

It serves one catalogue to all: the published tables by name, and `recommendations_latest`. A table that a first
night has not written yet joins within a minute of its first commit. Nothing here writes to the lake, and on S3 the
server's key cannot; there is no login, so it listens on this machine alone unless `RECSYS_THRIFT_HOST` says otherwise.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delta.tables import DeltaTable

from recsys_jobs.contracts.errors import run_main
from recsys_jobs.contracts.settings import lake_root, table_uri, var_dir
from recsys_jobs.contracts.tables import RECOMMENDATIONS, RECOMMENDATIONS_LATEST_SPARK, TABLES
from spark.session import get_spark

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)
_REFRESH_SECONDS = 60  # seconds


def register_tables(spark: SparkSession, lake: Path, registered: set[str]) -> set[str]:
    """Name the published tables that are in the lake by now; return the names of all that are offered."""
    new = {
        table.name
        for table in TABLES.values()
        if table.published
        and table.name not in registered
        and DeltaTable.isDeltaTable(spark, table_uri(table.name, lake))
    }
    for name in sorted(new):
        spark.catalog.createTable(name, path=table_uri(name, lake), source="delta")
    if RECOMMENDATIONS.name in new:
        spark.sql(f"CREATE OR REPLACE VIEW recommendations_latest AS {RECOMMENDATIONS_LATEST_SPARK}")
    return registered | new


def start_server(spark: SparkSession) -> None:
    """Open the port. Sessions of clients share this session's catalogue."""
    jvm: Any = spark._jvm
    jvm.java.lang.System.setProperty(
        "derby.stream.error.file", str(var_dir() / "derby.log")
    )  # Hive's database in memory
    jvm.org.apache.spark.sql.hive.thriftserver.HiveThriftServer2.startWithContext(spark._jsparkSession.sqlContext())


def main() -> None:
    """Serve until the process is ended."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    host, port = os.environ.get("RECSYS_THRIFT_HOST") or "127.0.0.1", os.environ.get("RECSYS_THRIFT_PORT") or "10000"
    spark = get_spark("thrift", serving=True)
    spark.conf.set("hive.server2.thrift.bind.host", host)
    spark.conf.set("hive.server2.thrift.port", port)
    registered = register_tables(spark, lake_root(), set())
    start_server(spark)
    log.info("serving %s on %s:%s", ", ".join(sorted(registered)) or "no table yet", host, port)
    while True:
        time.sleep(_REFRESH_SECONDS)
        registered = register_tables(spark, lake_root(), registered)


if __name__ == "__main__":
    run_main(main)
