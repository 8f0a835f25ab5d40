"""What one `recsys recommend` is asked for, and which arguments go with each other. Standard library only."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path

from recsys_jobs.commands.arguments import date_or_none
from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.models.recipes import RECIPES, get_recipe
from recsys_jobs.models.sequence.recipe import SequenceRecipe

SEQUENCE_RECIPES = tuple(name for name, make in RECIPES.items() if isinstance(make(), SequenceRecipe))
_SUFFIXES = (".json", ".csv")


@dataclass(frozen=True)
class RecommendOptions:
    """What is asked for: a `history`, or people.

    An empty `exam` or `data` is the lake, an empty `at` is now, an empty `model` the usual one.
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


def options_of(arguments: argparse.Namespace) -> RecommendOptions:
    """Return the options that the arguments make; UsageError where one is wrong."""
    if arguments.k < 1:
        raise UsageError(f"--k is {arguments.k}: write a number above 0")
    if arguments.model:
        get_recipe(arguments.model)
    if arguments.history:
        _check_history(arguments)
    else:
        _check_people(arguments)
    if not 0 <= arguments.diversity <= 1:
        raise UsageError(f"--diversity {arguments.diversity:g}: write a weight from 0 to 1")
    if arguments.out and arguments.out.suffix not in _SUFFIXES:
        raise UsageError(f"--out {arguments.out}: end its name in {' or '.join(_SUFFIXES)}")
    names = {field.name for field in fields(RecommendOptions)}
    as_given = {name: value for name, value in vars(arguments).items() if name in names}
    read = {
        "user": arguments.user[0] if arguments.history and arguments.user else "",
        "users": tuple(dict.fromkeys(arguments.user)),
        "data": arguments.data and arguments.data.absolute(),
        "run_date": date_or_none(arguments.date),
    }
    return RecommendOptions(**as_given | read)


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
    """Raise UsageError unless the arguments name people in one way, and what goes with them."""
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
