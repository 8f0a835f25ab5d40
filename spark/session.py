"""The one Spark session of a job: Delta from local JARs, small and quiet on one machine, any master elsewhere."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from recsys_jobs.contracts.settings import var_dir
from spark import jvm_class_sharing, s3
from spark.toolchain import delta_jars, ensure_java, jar_folder

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LOG4J = Path(__file__).with_name("log4j2.properties")


def get_spark(app: str, serving: bool = False) -> SparkSession:
    """Start the session called `app`, or return the one that runs.

    The master is `RECSYS_SPARK_MASTER`, else every core of this machine. `RECSYS_SPARK_MEMORY` (2g) is the driver's
    heap there and `RECSYS_SPARK_JAVA_OPTIONS` more options for it, both fixed when the JVM starts. One that is
    `serving` is a Thrift server's. Raises JobError where Java or Delta's JARs are missing.
    """
    java = ensure_java()
    jars = [*delta_jars(), *s3.jars(jar_folder())]
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    logging.getLogger("py4j").setLevel(logging.WARNING)  # it says goodbye after the job's last line
    master = os.environ.get("RECSYS_SPARK_MASTER") or "local[*]"
    builder = SparkSession.builder.appName(app).master(master)
    is_local = master.startswith("local")
    options = _delta_options(jars) | _common_options() | s3.options()
    options |= _local_options(java) if is_local else _cluster_options()
    if serving:
        options |= _thrift_options(jars)
    if is_local:
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")  # or Spark warns of a choice that does not matter here
    for key, value in options.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def _delta_options(jars: list[Path]) -> dict[str, str]:
    return {
        "spark.jars": ",".join(str(jar) for jar in jars),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.databricks.delta.snapshotPartitions": "1",  # the default of 50 is 50 tasks to read a small log
        "spark.sql.warehouse.dir": str(var_dir() / "spark-warehouse"),
    }


def _thrift_options(jars: list[Path]) -> dict[str, str]:
    """What sessions of clients need, which are made in threads that do not inherit the loader of spark.jars.

    Delta would answer max(run_date) from its log, as a java.sql.Date where such a session expects a LocalDate.
    """
    return {
        "spark.driver.extraClassPath": os.pathsep.join(str(jar) for jar in jars),
        "spark.databricks.delta.optimizeMetadataQuery.enabled": "false",
    }


def _common_options() -> dict[str, str]:
    """Options that decide results, and options that help on any number of machines."""
    return {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",  # as Delta has them
        "spark.sql.ansi.enabled": "true",  # a bad cast is an error; where it may fail, the code says try_cast
        "spark.sql.codegen.hugeMethodLimit": "8000",  # bytecodes; the JVM never compiles a longer method
    }


def _cluster_options() -> dict[str, str]:
    """`RECSYS_SPARK_MEMORY` (2g) is each executor's heap; the rest, the cluster's secret too, is in SPARK_CONF_DIR."""
    return {"spark.executor.memory": os.environ.get("RECSYS_SPARK_MEMORY") or "2g"}


def _local_options(java: Path) -> dict[str, str]:
    """Small data on few cores: few partitions, nothing listening beyond this machine, nothing on the screen."""
    return {
        "spark.driver.memory": os.environ.get("RECSYS_SPARK_MEMORY") or "2g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": " ".join(
            [f"-Dlog4j2.configurationFile=file:{LOG4J}", "-Duser.timezone=UTC", *_java_options(java)]
        ),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "4",
    }


def _java_options(java: Path) -> list[str]:
    """For instance -XX:TieredStopAtLevel=1, which takes a third off a step that a few thousand rows keep busy."""
    from_environment = os.environ.get("RECSYS_SPARK_JAVA_OPTIONS", "")
    archive = "" if "ArchiveClassesAtExit" in from_environment else jvm_class_sharing.java_option(java, jar_folder())
    return [option for option in (archive, from_environment) if option]
