"""Spark's half of the S3 test, a process of its own: a session's JARs are fixed when its JVM starts."""

from __future__ import annotations

from datetime import date

from recsys_jobs.contracts.settings import lake_root
from recsys_jobs.contracts.tables import CUTS, POPULAR_ITEMS
from recsys_jobs.lake import delta
from recsys_jobs.lake.table_files import replace_dates
from spark import store
from spark.session import get_spark
from spark.staging import workplace

FIRST, SECOND = date(2014, 3, 1), date(2014, 3, 2)


def main() -> None:
    """Write with Spark, read with delta-rs; read with Spark what delta-rs wrote."""
    spark = get_spark("s3")
    for users in (7, 8):  # the same dates twice: the second replaces the first
        rows = [(day, date(2014, 2, 1), users, 9, 10, True) for day in (FIRST, SECOND)]
        with workplace(lake_root(), "round_trip") as folder:
            store.stage(spark.createDataFrame(rows, CUTS.ddl), CUTS, folder)
            replace_dates(CUTS, folder / CUTS.name, [FIRST, SECOND])
    print("delta-rs:", [(str(row["run_date"]), row["holdout_users"]) for row in delta.read(CUTS).to_pylist()])
    popular = store.read(spark, POPULAR_ITEMS, lake_root()).orderBy("rank")
    print("spark:", [(row["rank"], row["item_id"]) for row in popular.collect()])
    spark.stop()


if __name__ == "__main__":
    main()
