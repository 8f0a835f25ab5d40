"""The context of a night: its date, its configuration, its recipe, its tags.

A night's own steps and a person's commands get it here alike: a configuration that asks for encoders from scratch
names a kind, and only the night's own cut says which encoder that is.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
from dataclasses import dataclass
from datetime import date

from recsys_jobs.contracts.settings import Settings, lake_root, load_settings, parse_date
from recsys_jobs.embed.night_encoders import night_settings
from recsys_jobs.lake import lineage
from recsys_jobs.promotion.decision_log import recipe_in_force


@dataclass(frozen=True)
class NightContext:
    """A night's date, its configuration with its encoders resolved, and the recipe that it is about."""

    run_date: date
    settings: Settings
    recipe: str
    floor: bool = False

    def tags(self, cut: date) -> dict[str, str]:
        """Tags for an MLflow run of this night that reads the cut `cut`."""
        night_tags = {"run_date": str(self.run_date), "cut": str(cut), "lake": lake_root().name}
        return night_tags | lineage.tags(lineage.input_versions())


def night_context(run_date: date, settings: Settings | None = None, recipe: str | None = None) -> NightContext:
    """The context of the night of `run_date`: as configured unless `settings` are given, for the recipe in force."""
    configured = load_settings() if settings is None else settings
    recipe = recipe or recipe_in_force(run_date, configured)
    return NightContext(run_date, night_settings(configured, run_date), recipe)


def parse_night(doc: str, with_floor: bool = False) -> NightContext:
    """Read a step's command line (`--run-date`, `--recipe`, maybe `--floor`) and set up its log."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--run-date", required=True, help="the night's date, YYYY-MM-DD")
    parser.add_argument("--recipe", default="", help="instead of the recipe in force")
    if with_floor:
        parser.add_argument("--floor", action="store_true", help="fit the floor")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    night = night_context(parse_date(arguments.run_date), recipe=arguments.recipe)
    return dataclasses.replace(night, floor=getattr(arguments, "floor", False))
