"""Makes the serving fit of the night: the recipe that the gate lets publish, fitted on the cut D, and registered.

`python -m recsys_jobs.night.fit_serving --run-date D [--recipe NAME]`. It writes down which model the night is to
publish; the steps that follow read that, and fit nothing.
"""

from __future__ import annotations

from recsys_jobs.contracts.lake_lock import run_step
from recsys_jobs.data.from_lake import load_dataset
from recsys_jobs.promotion.night_context import parse_night
from recsys_jobs.publishing.choose_model import fit_night


def main() -> None:
    """The step's command line."""
    night = parse_night(__doc__ or "")
    fit_night(night, load_dataset(night.run_date, night.settings))


if __name__ == "__main__":
    run_step(main)
