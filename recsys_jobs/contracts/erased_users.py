"""The reviewers that this lake must not learn of again: salted hashes of their ids. Standard library only.

Ids of public dumps can be guessed one by one, so a bare hash would name its owner. Each lake has a salt of its own,
and only the file's owner can read it; a reader of both file and dump can still test a guess, as ingest does.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import lake_root

FILE = "forgotten.json"


@dataclass(frozen=True)
class ErasedUsers:
    """The salt, and the sha256 of salt + id of each erased reviewer."""

    salt: str = ""
    hashes: frozenset[str] = frozenset()

    def hash(self, user: str) -> str:
        """Return the sha256 that the list holds for a person."""
        return hashlib.sha256((self.salt + user).encode()).hexdigest()

    def __contains__(self, user: str) -> bool:
        return self.hash(user) in self.hashes


def load_erased_users(lake: Path | None = None) -> ErasedUsers:
    """Return the stored list; JobError where it cannot be read, for ingest must not go on without it."""
    path = (lake or lake_root()) / FILE
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return ErasedUsers(str(stored["salt"]), frozenset(map(str, stored["hashes"])))
    except FileNotFoundError:
        return ErasedUsers()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise JobError(f"the list of forgotten reviewers {path} cannot be read ({error}): restore it first") from None


def add_erased_user(user: str, lake: Path | None = None) -> ErasedUsers:
    """Add a person to the list, in one step; return the new list."""
    before = load_erased_users(lake)
    salted = ErasedUsers(before.salt or secrets.token_hex(16), before.hashes)
    after = ErasedUsers(salted.salt, salted.hashes | {salted.hash(user)})
    path = (lake or lake_root()) / FILE
    partial = path.with_suffix(".part")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump({"salt": after.salt, "hashes": sorted(after.hashes)}, file)
    partial.replace(path)
    return after
