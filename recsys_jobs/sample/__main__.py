"""Write sample dumps: `python -m recsys_jobs.sample --out DIR [--users N] [--seed S] [--until YYYY-MM-DD]`."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from recsys_jobs.contracts.errors import run_main
from recsys_jobs.contracts.settings import parse_date
from recsys_jobs.sample.dates import DEFAULT_USERS, FIRST_FOLDER, LAST_DAY, SECOND_NIGHT


def main(argv: list[str] | None = None) -> None:
    """Parse the call, write the sample, say what was written."""
    parser = argparse.ArgumentParser(prog="python -m recsys_jobs.sample", description="Write sample dumps.")
    parser.add_argument("--out", type=Path, required=True, help="landing zone to write to; made if missing")
    parser.add_argument("--users", type=int, default=DEFAULT_USERS, help="people (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another shop (default: %(default)s)")
    parser.add_argument(
        "--until",
        default=SECOND_NIGHT.isoformat(),
        metavar="YYYY-MM-DD",
        help=f"last dated folder, from {FIRST_FOLDER} to {LAST_DAY} (default: %(default)s); "
        "a later call with a later date adds what is missing",
    )
    parser.add_argument("--no-photos", action="store_true", help="write reviews and items only")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    from recsys_jobs.sample.landing import write  # numpy and Pillow: not for --help

    logging.info("%s", write(args.out, args.users, args.seed, parse_date(args.until), not args.no_photos))


if __name__ == "__main__":
    run_main(main)
