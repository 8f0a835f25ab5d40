"""The command line of `recsys recommend`. Standard library only."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from recsys_jobs.errors import UsageError
from recsys_jobs.recipes import RECIPES, SequenceRecipe, recipe

WHAT = "recommend for a plain history file, by a model over sequences that was fitted before"
SEQUENCE_RECIPES = tuple(name for name, make in RECIPES.items() if isinstance(make(), SequenceRecipe))
MORE = """
A history file has an item id a line, oldest first; a date, a time or seconds since 1970 may follow the id.
The person need not be known to the model. Ids that it does not know are told with their lines, and left out.

The model is the newest fit that MLflow keeps: of the lake (a serving fit before an exam fit), or with
--exam of the last exam of a data set. No data and no text or image is read for it: the catalogue of
item vectors was computed when the model was fitted.

examples:
  recsys recommend --history history.txt
  recsys recommend --history history.txt --user A2B3C4   # after what the lake has of that person
  recsys exam data/beauty --models gated_sequence
  recsys recommend --history history.txt --exam beauty --k 5 --out slate.csv
"""


@dataclass(frozen=True)
class Call:
    """One call; an empty `model` is any over sequences, an empty `exam` the lake, an empty `at` now."""

    history: Path
    model: str = ""
    exam: str = ""
    user: str = ""
    at: str = ""
    k: int = 20
    out: Path | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `recsys recommend` takes."""
    add = parser.add_argument
    add("--history", type=Path, required=True, metavar="FILE", help="an item id a line, oldest first")
    add("--model", default="", help=f"the recipe: {', '.join(SEQUENCE_RECIPES)} (default: whichever was fitted last)")
    add("--exam", default="", metavar="DATA", help="a model of the last exam of this data set, by its name")
    add("--user", default="", help="a person of the lake, whose events come before those of the file")
    add("--at", default="", metavar="TIME", help="when it is asked, as 2014-03-01 or with a time (default: now)")
    add("--k", type=int, default=20, help="how many items (default: %(default)s)")
    add("--out", type=Path, metavar="FILE.csv", help="write rank, item_id and score there, too")


def call_of(arguments: argparse.Namespace) -> Call:
    """Return the call that the arguments make; UsageError where one is wrong."""
    if arguments.k < 1:
        raise UsageError(f"--k is {arguments.k}: write a number above 0")
    if arguments.model and not isinstance(recipe(arguments.model), SequenceRecipe):
        raise UsageError(f"{arguments.model} reads no plain history: name one of {', '.join(SEQUENCE_RECIPES)}")
    if arguments.user and arguments.exam:
        raise UsageError("--user is a person of the lake: leave it out with --exam")
    return Call(**{name: value for name, value in vars(arguments).items() if name in Call.__dataclass_fields__})
