"""The order of an erasure: the list first, then models, rows, old versions, pages; then a check that nothing is left.

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
from recsys_jobs.operations.erasure.models import AffectedFit, erase_from_models
from recsys_jobs.operations.erasure.pages import erase_from_pages

_MAX_ID = 256  # characters


def forget(user: str) -> str:
    """Remove `user` from the lake and all that was made from it; return a summary as text.

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
        return _erase(user)


def _erase(user: str) -> str:
    fits = erase_from_models(user)
    counts = rows.erase_rows(user)
    files = sum(rows.drop_old_versions(table) for table in rows.WITH_HISTORY)
    shutil.rmtree(lake_root() / "_staging", ignore_errors=True)
    pages = erase_from_pages(user)
    if left := rows.files_naming(user):
        raise JobError(f"{left[0]} still names them, and {len(left) - 1} more: run recsys forget again")
    return _summary(user, counts, files, pages, fits)


def _summary(user: str, counts: dict[str, int], files: int, pages: list[Path], fits: list[AffectedFit]) -> str:
    named = ", ".join(f"{name} {rows:,}" for name, rows in counts.items() if rows) or "none were left"
    fit_lines = [f"  {fit}" for fit in fits] or ["  none that MLflow keeps"]
    landed = [f"  {path}" for path in _landed_files(user)] or ["  no landed file names them now"]
    return "\n".join(
        [
            f"{user} is forgotten in {lake_root()}.",
            f"rows removed (in quarantine: blanked): {named}",
            f"older versions removed: {files:,} files of {', '.join(table.name for table in rows.WITH_HISTORY)};"
            " time travel in these tables starts now",
            f"pages and logs: {len(pages)} named them",
            "fits that knew them (the next night's will not):",
            *fit_lines,
            "not touched:",
            *landed,
            "  backups, copies of the lake, Airflow's database; counts over everybody (edges, popularity, metrics)",
            "a salted hash keeps them out when the same dump is read again",
        ]
    )


def _landed_files(user: str) -> list[str]:
    """Return landed files that name the person, and zipped ones, which are not searched."""
    zone = landing_zone()
    files = []
    for path in sorted(zone.rglob("reviews/*")) if zone.is_dir() else []:
        if path.name.endswith(".gz"):
            files.append(f"{path} (zipped: not searched)")
        elif path.is_file() and mentions(path, user):
            files.append(f"{path} names them: remove their lines there yourself")
    return files
