"""The step: `python -m recsys_jobs.embed --run-date 2014-03-01 --modality text`."""

from __future__ import annotations

import argparse
import logging

from recsys_jobs.contracts.lake_lock import run_step
from recsys_jobs.contracts.settings import parse_date
from recsys_jobs.embed import job
from recsys_jobs.embed.registry import MODALITIES


def main() -> None:
    """Read the arguments, embed, and end with one line of counts."""
    parser = argparse.ArgumentParser(prog="recsys_jobs.embed", description=__doc__)
    parser.add_argument("--run-date", required=True, help="the night, as YYYY-MM-DD")
    parser.add_argument("--modality", required=True, choices=MODALITIES)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    counts = job.run(parse_date(arguments.run_date), arguments.modality)
    logging.info(
        f"embed {arguments.modality}: needed={counts.needed} known={counts.known} "
        f"encoded={counts.encoded} seconds={counts.seconds:.1f}"
    )


if __name__ == "__main__":
    run_step(main)
