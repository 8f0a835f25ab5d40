"""The command line of `recsys recommend`. Standard library only."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.settings import parse_date
from recsys_jobs.models.recipes import RECIPES, get_recipe
from recsys_jobs.models.sequence.recipe import SequenceRecipe

WHAT = "recommend for people of a data set or of the lake, or for a plain history file"
SEQUENCE_RECIPES = tuple(name for name, make in RECIPES.items() if isinstance(make(), SequenceRecipe))
_SUFFIXES = (".json", ".csv")
MORE = """
People are named (--user, --users-file), or drawn (--sample). With --data a recipe is fitted on all events of a
data set, or of a lake with --date, and asked; without, the model that the lake published on --date (default: the
newest) is asked again, with nothing of today's blocklist. --diversity chooses by maximal marginal relevance.

A history file has an item id a line, oldest first; a date, a time or seconds since 1970 may follow the id.
The person need not be known to the model. Ids that it does not know are told with their lines, and left out.
The model is the newest fit over sequences that MLflow keeps: of the lake (a serving fit before an exam fit), or with
--exam of the last exam of a data set. No data and no text or image is read for it: the catalogue of
item vectors was computed when the model was fitted.

examples:
  recsys recommend --user A2B3C4 --user A9X8 --out slates.json     # the lake's newest night
  recsys recommend --sample 10 --date 2014-03-01 --diversity 0.3
  recsys recommend --data data/shop --model ease_text --users-file people.txt --out slates.csv
  recsys recommend --history history.txt
  recsys recommend --history history.txt --user A2B3C4   # after what the lake has of that person
  recsys recommend --history history.txt --exam beauty --k 5 --out slate.csv
"""


@dataclass(frozen=True)
class Call:
    """One call: a `history`, or people. An empty `exam` or `data` is the lake, an empty `at` now, a `model` the usual.

    `user` is whom a history continues, `users` who is asked for.
    """

    history: Path | None = None
    model: str = ""
    exam: str = ""
    user: str = ""
    at: str = ""
    k: int = 20
    out: Path | None = None
    users: tuple[str, ...] = ()
    users_file: Path | None = None
    sample: int = 0
    seed: int = 0
    data: Path | None = None
    run_date: date | None = None
    encoders: str = ""
    diversity: float = 0.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `recsys recommend` takes."""
    add = parser.add_argument
    add("--user", action="append", default=[], metavar="ID", help="a person; again for more")
    add("--users-file", type=Path, metavar="FILE", help="people, an id a line")
    add("--sample", type=int, default=0, metavar="N", help="N people at random, the same for the same --seed")
    add("--seed", type=int, default=0, help="of the sample and the fit (default: 0)")
    add("--data", type=Path, metavar="DIR", help="a data set's folder, as recsys exam reads it, or a lake's")
    add("--date", default="", metavar="D", help="a lake's run date, YYYY-MM-DD (default: the newest published)")
    add("--encoders", default="", metavar="VISION_LANGUAGE", help="of a data set's contents")
    add("--diversity", type=float, default=0.0, metavar="WEIGHT", help="of variety, 0 to 1 (default: 0)")
    add("--history", type=Path, metavar="FILE", help="an item id a line, oldest first")
    add("--model", default="", help="the recipe to fit on --data, or over sequences for --history: "
        f"{', '.join(SEQUENCE_RECIPES)} (default: the data's best; whichever was fitted last)")  # fmt: skip
    add("--exam", default="", metavar="DATA", help="for --history: a model of the last exam of this data set")
    add("--at", default="", metavar="TIME", help="for --history: when it is asked, as 2014-03-01 (default: now)")
    add("--k", type=int, default=20, help="how many items (default: %(default)s)")
    add("--out", type=Path, metavar="FILE", help="write the slates there, as .json or .csv says")


def call_of(arguments: argparse.Namespace) -> Call:
    """Return the call that the arguments make; UsageError where one is wrong."""
    if arguments.k < 1:
        raise UsageError(f"--k is {arguments.k}: write a number above 0")
    if arguments.model:
        get_recipe(arguments.model)
    (_check_history if arguments.history else _check_people)(arguments)
    if not 0 <= arguments.diversity <= 1:
        raise UsageError(f"--diversity {arguments.diversity:g}: write a weight from 0 to 1")
    if arguments.out and arguments.out.suffix not in _SUFFIXES:
        raise UsageError(f"--out {arguments.out}: end its name in {' or '.join(_SUFFIXES)}")
    given = {name: value for name, value in vars(arguments).items() if name in Call.__dataclass_fields__}
    return Call(**given | {
        "user": arguments.user[0] if arguments.history and arguments.user else "",
        "users": tuple(dict.fromkeys(arguments.user)),
        "data": arguments.data and arguments.data.absolute(),
        "run_date": parse_date(arguments.date) if arguments.date else None,
    })  # fmt: skip


def _check_history(arguments: argparse.Namespace) -> None:
    """Raise UsageError for what does not go with a history file."""
    if arguments.model and not isinstance(get_recipe(arguments.model), SequenceRecipe):
        raise UsageError(f"{arguments.model} reads no plain history: name one of {', '.join(SEQUENCE_RECIPES)}")
    if arguments.user and arguments.exam:
        raise UsageError("--user is a person of the lake: leave it out with --exam")
    if len(arguments.user) > 1:
        raise UsageError("a history continues one person's: name one --user, or leave --history out")
    _refuse(arguments, ("users_file", "sample", "data", "date", "encoders", "diversity"), "--history")


def _check_people(arguments: argparse.Namespace) -> None:
    """Raise UsageError unless the call names people in one way, and what goes with them."""
    ways = [bool(arguments.user), arguments.users_file is not None, arguments.sample != 0]
    if sum(ways) != 1:
        raise UsageError("for whom? name people by --user, --users-file or --sample, one of them; or give --history")
    if arguments.sample < 0:
        raise UsageError(f"--sample {arguments.sample}: write a number above 0")
    _refuse(arguments, ("exam", "at"), "people; it goes with --history")
    if arguments.data is None:
        _refuse(arguments, ("model", "encoders"), "the lake's published model; it goes with --data")


def _refuse(arguments: argparse.Namespace, names: tuple[str, ...], with_what: str) -> None:
    for name in names:
        if getattr(arguments, name):
            raise UsageError(f"--{name.replace('_', '-')} does not go with {with_what}")
