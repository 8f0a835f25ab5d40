"""The order of an erasure: the list first, then models, rows, old versions, pages; then a look at what is left.

Each part may be done again, so a run that was cut short is completed by the same call.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from recsys_jobs.contracts import lake_lock
from recsys_jobs.contracts.erased_users import add_erased_user, load_erased_users
from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.settings import lake_root, landing_zone
from recsys_jobs.operations.erasure import rows
from recsys_jobs.operations.erasure.mention import mentions
from recsys_jobs.operations.erasure.models import Met, erase_from_models
from recsys_jobs.operations.erasure.pages import erase_from_pages

_MAX_ID = 256  # characters


def forget(user: str) -> str:
    """Remove `user` from the lake and all that was made from it; return what was done, as text.

    UsageError where nothing names them; JobError while a step of a night runs, or where something is left.
    """
    if not user.strip() or len(user) > _MAX_ID:
        raise UsageError(f"a reviewer's id has 1 to {_MAX_ID} characters: recsys forget USER")
    if not lake_root().is_dir():
        raise UsageError(f"no lake at {lake_root()}: set RECSYS_LAKE")
    with lake_lock.exclusive("an erasure"):
        if user not in load_erased_users() and not rows.files_naming(user):
            raise UsageError(f"nothing in {lake_root()} names {user!r}: ids are as in the dump, upper and lower case")
        add_erased_user(user)
        return _erased(user)


def _erased(user: str) -> str:
    met = erase_from_models(user)
    counts = rows.erase_rows(user)
    files = sum(rows.drop_history(table) for table in rows.HELD)
    shutil.rmtree(lake_root() / "_staging", ignore_errors=True)
    pages = erase_from_pages(user)
    if left := rows.files_naming(user):
        raise JobError(f"{left[0]} still names them, and {len(left) - 1} more: run recsys forget again")
    return _told(user, counts, files, pages, met)


def _told(user: str, counts: dict[str, int], files: int, pages: list[Path], met: list[Met]) -> str:
    named = ", ".join(f"{name} {rows:,}" for name, rows in counts.items() if rows) or "none were left"
    fits = [f"  {one}" for one in met] or ["  none that MLflow keeps"]
    landed = [f"  {path}" for path in _landed(user)] or ["  no landed file names them now"]
    return "\n".join(
        [
            f"{user} is forgotten in {lake_root()}.",
            f"rows removed (in quarantine: blanked): {named}",
            f"older versions removed: {files:,} files of {', '.join(table.name for table in rows.HELD)};"
            " time travel in these tables starts now",
            f"pages and logs: {len(pages)} named them",
            "fits that knew them (the next night's will not):",
            *fits,
            "not touched:",
            *landed,
            "  backups, copies of the lake, Airflow's database; counts over everybody (edges, popularity, metrics)",
            "a salted hash keeps them out when the same dump is read again",
        ]
    )


def _landed(user: str) -> list[str]:
    """Landed files that name the person, unpacked ones alone: a zipped one is not searched."""
    zone = landing_zone()
    found = []
    for path in sorted(zone.rglob("reviews/*")) if zone.is_dir() else []:
        if path.name.endswith(".gz"):
            found.append(f"{path} (zipped: not searched)")
        elif path.is_file() and mentions(path, user):
            found.append(f"{path} names them: remove their lines there yourself")
    return found
