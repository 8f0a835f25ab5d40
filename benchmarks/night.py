"""What a night costs beside its training: the sample's first night, the same again, and the next day's.

    python -m benchmarks.night

Seconds by step, through Airflow, in a home of its own. The yardstick is what of it cannot be saved: the time that this
machine takes to start a Java machine with a Spark session, and to import the libraries.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from recsys_jobs.commands.demo import print_times, set_environment
from recsys_jobs.contracts.errors import run_main
from recsys_jobs.operations.airflow.night_runner import Night, run_night
from recsys_jobs.sample.dates import DEFAULT_USERS, FIRST_NIGHT, SECOND_NIGHT
from recsys_jobs.sample.landing import write

YARDSTICKS = {
    "a Spark session": "from spark.session import get_spark; get_spark('bench').range(9).count()",
    "import torch, mlflow, great_expectations": "import torch, mlflow, great_expectations",
}


def main() -> None:
    """Print the table: a row a step, a column a night."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        set_environment(home)
        nights = {
            "first": _night(home, FIRST_NIGHT),
            "again": run_night(FIRST_NIGHT),
            "next day": _night(home, SECOND_NIGHT),
        }
        print_times(nights)
        for name, code in YARDSTICKS.items():
            print(f"{name:42}{_seconds(code):8.1f}")


def _night(home: Path, day: date) -> Night:
    write(home / "landing", DEFAULT_USERS, seed=0, until=day)
    return run_night(day)


def _seconds(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    run_main(main)
