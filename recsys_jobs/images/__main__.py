"""`python -m recsys_jobs.images --run-date D`: take in the images that the date wants."""

from __future__ import annotations

import argparse
import logging
import warnings

from recsys_jobs.contracts.lake_lock import run_step
from recsys_jobs.contracts.settings import lake_root, landing_zone, load_settings, parse_date


def main() -> None:
    """Read the call, take the images in, close with the counts."""
    parser = argparse.ArgumentParser(prog="python -m recsys_jobs.images", description=__doc__)
    parser.add_argument("--run-date", required=True, help="the night, as YYYY-MM-DD")
    day = parse_date(parser.parse_args().run_date)
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    from PIL import Image

    from recsys_jobs.images.intake import IntakeContext, run_intake

    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own bound on pixels is exact
    counts = run_intake(IntakeContext(day, load_settings(), landing_zone(), lake_root()))
    logging.info("images of %s: %s", day, counts)


if __name__ == "__main__":
    run_step(main)
