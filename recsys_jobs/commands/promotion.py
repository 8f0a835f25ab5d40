"""The command lines of `recsys challenge`, `promote`, `rollback` and `models`. Imports what it needs when it runs."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable

from recsys_jobs.contracts import lake_lock
from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.settings import Settings, load_settings, parse_date


def _challenge_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("recipes", nargs="+", metavar="RECIPE", help="several: Holm's correction, and a nomination")
    command.add_argument("--date", help="the night whose cuts are used, YYYY-MM-DD (default: the latest)")


def _promote_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("version", nargs="?", type=int, help="the registry version (see recsys models)")
    command.add_argument("--release", action="store_true", help="hold nothing: nights publish what they fit again")
    command.add_argument("--reason", default="", help="what the log of decisions should say besides")


def _rollback_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--reason", default="", help="what the log of decisions should say besides")


def _challenge(arguments: argparse.Namespace) -> None:
    from recsys_jobs.challenges.challenge import challenge
    from recsys_jobs.models.recipes import get_recipe

    names = [get_recipe(name).name for name in arguments.recipes]
    challenge(names, parse_date(arguments.date) if arguments.date else None, _settings())


def _promote(arguments: argparse.Namespace) -> None:
    if (arguments.version is None) == (not arguments.release):
        raise UsageError("name a version to promote (recsys models lists them), or --release what is held")
    from recsys_jobs.publishing.promote_rollback import promote, release

    if arguments.release:
        release(arguments.reason, _settings())
    else:
        promote(arguments.version, arguments.reason, _settings())


def _rollback(arguments: argparse.Namespace) -> None:
    from recsys_jobs.publishing.promote_rollback import rollback

    rollback(arguments.reason, _settings())


def _models(_: argparse.Namespace) -> None:
    from recsys_jobs.challenges.show_status import lines

    print("\n".join(lines(_settings())))


def _settings() -> Settings:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    return load_settings()


def _as_step(run: Callable[[argparse.Namespace], None]) -> Callable[[argparse.Namespace], None]:
    """The call, beside the steps of nights and never beside what removes rows or file versions."""

    def held(arguments: argparse.Namespace) -> None:
        with lake_lock.step():
            run(arguments)

    return held


# name -> what it does, its arguments, what it runs
COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], None]]] = {
    "challenge": (
        "fit other recipes on a night's cuts; one that is better beyond doubt is in force from the next night",
        _challenge_arguments,
        _as_step(_challenge),
    ),
    "promote": (
        "let a registered version serve and hold it there, or release what is held",
        _promote_arguments,
        _as_step(_promote),
    ),
    "rollback": (
        "reject the version that serves and go back to the one before; again, one further back",
        _rollback_arguments,
        _as_step(_rollback),
    ),
    "models": ("what serves, since when and why, and every registered version", lambda command: None, _models),
}
