"""Whom this lake must not learn of again: salted hashes of the ids of forgotten reviewers. Standard library only.

Ids of public dumps can be guessed one by one, so a bare hash would name its owner. The salt is of this lake alone,
and the file is readable by its owner alone; whoever holds file and dump can still test a guess, as ingest does.
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
class Forgotten:
    """The salt, and the sha256 of salt + id of everybody who is to stay unknown."""

    salt: str = ""
    hashes: frozenset[str] = frozenset()

    def hash(self, user: str) -> str:
        """What the list holds of a person."""
        return hashlib.sha256((self.salt + user).encode()).hexdigest()

    def __contains__(self, user: str) -> bool:
        return self.hash(user) in self.hashes


def load_forgotten(lake: Path | None = None) -> Forgotten:
    """The list as it stands; JobError where it cannot be read, for ingest must not go on without it."""
    path = (lake or lake_root()) / FILE
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return Forgotten(str(stored["salt"]), frozenset(map(str, stored["hashes"])))
    except FileNotFoundError:
        return Forgotten()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise JobError(f"the list of forgotten reviewers {path} cannot be read ({error}): restore it first") from None


def remember(user: str, lake: Path | None = None) -> Forgotten:
    """Put a person on the list, in one step; return the list."""
    before = load_forgotten(lake)
    salted = Forgotten(before.salt or secrets.token_hex(16), before.hashes)
    after = Forgotten(salted.salt, salted.hashes | {salted.hash(user)})
    path = (lake or lake_root()) / FILE
    half = path.with_suffix(".part")
    with open(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump({"salt": after.salt, "hashes": sorted(after.hashes)}, file)
    half.replace(path)
    return after
