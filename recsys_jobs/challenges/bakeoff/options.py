"""The command line that the bake-off's jobs share: `--run-date D [--recipes A,B]`."""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass
from datetime import date

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.settings import Settings, load_settings, parse_date


@dataclass(frozen=True)
class BakeoffOptions:
    """One bake-off: its date, the requested recipes (none: the configured ones), its configuration."""

    run_date: date
    recipes: tuple[str, ...]
    settings: Settings


def parse_options(doc: str) -> BakeoffOptions:
    """Read a job's command line and set up its log."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--run-date", required=True, help="the bake-off's date, YYYY-MM-DD: a night that has run")
    parser.add_argument("--recipes", default="", help="comma between them (default: the setting bakeoff_recipes)")
    arguments = parser.parse_args()
    return build_options(arguments.run_date, arguments.recipes)


def build_options(run_date: str, recipes: str) -> BakeoffOptions:
    """The options that these two strings give; UsageError for one that is no date or no list."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    names = tuple(name.strip() for name in recipes.split(",")) if recipes else ()
    if not all(names):
        raise UsageError(f"{recipes!r} is no list of recipes: write --recipes sage_fm,ease_text")
    return BakeoffOptions(parse_date(run_date), names, load_settings())
