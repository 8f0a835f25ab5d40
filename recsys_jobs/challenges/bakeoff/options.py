"""What the bake-off's jobs share: the command line `--run-date D [--recipes A,B]`, read once."""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass
from datetime import date

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.settings import Settings, load_settings, parse_date


@dataclass(frozen=True)
class Call:
    """One bake-off: its date, the recipes asked for (none: the configured ones), its configuration."""

    run_date: date
    recipes: tuple[str, ...]
    settings: Settings


def parse(doc: str) -> Call:
    """Read a job's command line and set up its log."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--run-date", required=True, help="the bake-off's date, YYYY-MM-DD: a night that has run")
    parser.add_argument("--recipes", default="", help="comma between them (default: the setting bakeoff_recipes)")
    arguments = parser.parse_args()
    return made(arguments.run_date, arguments.recipes)


def made(run_date: str, recipes: str) -> Call:
    """The call of these words; UsageError for a date or a list that is none."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    names = tuple(name.strip() for name in recipes.split(",")) if recipes else ()
    if not all(names):
        raise UsageError(f"{recipes!r} is no list of recipes: write --recipes sage_fm,ease_text")
    return Call(parse_date(run_date), names, load_settings())
