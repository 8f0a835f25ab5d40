"""What the steps of a night share: their command line, their configuration, their tags."""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass
from datetime import date

from recsys_jobs.contracts.settings import Settings, lake_root, load_settings, parse_date
from recsys_jobs.embed.night_encoders import night_settings
from recsys_jobs.lake import lineage
from recsys_jobs.promotion.decision_log import recipe_in_force


@dataclass(frozen=True)
class Step:
    """One step's call: the night's date, its configuration, the recipe that it is about."""

    run_date: date
    settings: Settings
    recipe: str
    floor: bool = False

    def tags(self, cut: date) -> dict[str, str]:
        """Tags for an MLflow run of this night that reads the cut `cut`."""
        own = {"run_date": str(self.run_date), "cut": str(cut), "lake": lake_root().name}
        return own | lineage.tags(lineage.input_versions())


def parse_step(doc: str, with_floor: bool = False) -> Step:
    """Read a step's command line (`--run-date`, `--recipe`, maybe `--floor`) and set up its log."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--run-date", required=True, help="the night's date, YYYY-MM-DD")
    parser.add_argument("--recipe", default="", help="instead of the recipe in force")
    if with_floor:
        parser.add_argument("--floor", action="store_true", help="fit the floor")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    run_date, settings = parse_date(arguments.run_date), load_settings()
    recipe = arguments.recipe or recipe_in_force(run_date, settings)
    return Step(run_date, night_settings(settings, run_date), recipe, getattr(arguments, "floor", False))
