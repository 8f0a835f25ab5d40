"""A night that publishes one row: `python -m tests.components.small_night --run-date D`.

It notes that it ran in `<var>/ran.txt`, fails where `<var>/broken-D` exists, and
first waits as many seconds as `<var>/slow-D` says.
"""

from __future__ import annotations

import sys
import time

import pyarrow as pa

from recsys_jobs.contracts.errors import JobError, run_main
from recsys_jobs.contracts.settings import parse_date, var_dir
from recsys_jobs.contracts.tables import RECOMMENDATIONS
from recsys_jobs.lake import delta


def main() -> None:
    """Publish one row of the date."""
    day = parse_date(sys.argv[sys.argv.index("--run-date") + 1])
    with (var_dir() / "ran.txt").open("a", encoding="utf-8") as ran:
        ran.write(f"{day}\n")
    if (slow := var_dir() / f"slow-{day}").exists():
        time.sleep(float(slow.read_text(encoding="utf-8")))
    if (var_dir() / f"broken-{day}").exists():
        raise JobError(f"no review before the end of {day}")
    row = {"run_date": day, "user_id": "ann", "rank": 1, "item_id": "cup", "score": 1.0}
    row |= {"model_name": "ease_text", "model_version": None, "model_fingerprint": "f"}
    delta.replace_date(RECOMMENDATIONS, day, pa.Table.from_pylist([row], delta.arrow_schema(RECOMMENDATIONS)))


if __name__ == "__main__":
    run_main(main)
