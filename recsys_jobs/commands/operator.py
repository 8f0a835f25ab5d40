"""The operator's commands of `recsys`, which keep what is published and what is stored within the rules.

Only the calls stand here; what they do is imported when they run.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable

from recsys_jobs.contracts.errors import UsageError

_BLOCKLIST = """
Nothing is fitted and no alias moves; the kept factors rank everybody anew, so that all still get K items.
The blocklist is blocklist.csv in the lake's folder, or the file that RECSYS_BLOCKLIST names:
  kind,value,reason
  item,B00000016W,recalled
  brand,Acme,dispute of May
"""
_FORGET = """
Their rows leave every table, every older version of those tables and every published slate; the versions before
are gone for everybody, so time travel in these tables starts anew. A salted hash keeps them out when the same dump
is read again. What it cannot reach is said at the end: landed files and backups.
"""


def add_to(commands: argparse._SubParsersAction, command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands, each made by `command(commands, name, what, run, more)`."""
    publish = command(commands, "publish", "publish the newest night again: a new blocklist counts at once", _publish)
    publish.description = f"{publish.description}\n{_BLOCKLIST}"
    publish.add_argument("--latest", action="store_true", help="the newest published night")
    forget = command(commands, "forget", "remove a reviewer from tables, file versions, slates and models", _forget)
    forget.description = f"{forget.description}\n{_FORGET}"
    forget.add_argument("user", help="the reviewer's id")
    maintain = command(commands, "maintain", "compact, vacuum and drop what the retention settings let go", _maintain)
    maintain.add_argument("--dry-run", action="store_true", help="say what would go, and change nothing")


def _publish(arguments: argparse.Namespace) -> None:
    if not arguments.latest:
        raise UsageError("which night? recsys publish --latest; an older one is published by running it again")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    from recsys_jobs.contracts import lake_lock
    from recsys_jobs.publishing.republish import republish_latest

    with lake_lock.step():
        republish_latest()


def _forget(arguments: argparse.Namespace) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    from recsys_jobs.operations.erasure.forget import forget

    print(forget(arguments.user))


def _maintain(arguments: argparse.Namespace) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    from recsys_jobs.operations.retention import STEPS, maintain

    maintain(list(STEPS), dry_run=arguments.dry_run)
