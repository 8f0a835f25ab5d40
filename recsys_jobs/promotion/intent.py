"""What a night means to publish, written down before it is done, and the aliases that follow it.

The order is row, tables, aliases, and the row closed: a row that is open says what is left to do.
"""

from __future__ import annotations

import json
import logging

import pyarrow as pa
import pyarrow.compute as pc

from recsys_jobs import decisions, lake, tracking
from recsys_jobs.code_version import code_version
from recsys_jobs.decisions import Row
from recsys_jobs.promotion import hand
from recsys_jobs.promotion import log as promotions
from recsys_jobs.step import Step
from recsys_jobs.tables import RECOMMENDATIONS

LOCK = "publish"  # held by whatever changes what serves
log = logging.getLogger(__name__)


def of(step: Step, slates: pa.Table) -> Row:
    """The row that says what this night publishes, and whether `champion` follows; appended if need be.

    An open one is taken up again, and a closed one that nothing has changed since stands as it is.
    """
    rows, wanted = decisions.everything(), _wanted(step, slates)
    of_night = [row for row in rows if row["kind"] == "publish" and row["effective_date"] == step.run_date]
    for row in promotions.unfinished(of_night):
        if row["model_fingerprint"] == wanted["model_fingerprint"]:
            return row
        decisions.give_up(row, "other slates were made for this night")
    moves = _moves_alias(step, wanted["model_version"], rows)
    same = [r for r in of_night if r["model_fingerprint"] == wanted["model_fingerprint"] and r["decision"] == "passed"]
    if same and not (moves and tracking.champion() != wanted["model_version"]):
        return same[-1] | {"moves_alias": moves}
    return decisions.append(wanted | {"moves_alias": moves})


def version_of(slates: pa.Table) -> int | None:
    """The registry version that made these slates; None for a floor."""
    (version,) = pc.unique(slates["model_version"]).to_pylist()
    return None if version is None else int(version)


def _wanted(step: Step, slates: pa.Table) -> Row:
    version = version_of(slates)
    recipe = tracking.nights_version(version).tags["recipe"] if version else slates["model_name"][0].as_py()
    held = promotions.hold(decisions.everything(), step.run_date)
    return {
        "kind": "publish",
        "effective_date": step.run_date,
        "recipe": recipe,
        "model_fingerprint": slates["model_fingerprint"][0].as_py(),
        "model_version": version,
        "decision": "passed",
        "publishes": recipe,
        "reason": (held.row if held else decisions.gate_decision(step.run_date, step.recipe))["reason"],
        "lineage": json.dumps({"code_version": code_version()}),
        "completed_at": None,
    }


def _moves_alias(step: Step, version: int | None, rows: list[Row]) -> bool:
    """Whether `champion` follows: on the latest night alone, and not where a person moved it meanwhile.

    A floor has no version and leaves the alias alone, unless a person took the last version away.
    """
    last = max(lake.dates(RECOMMENDATIONS), default=step.run_date)
    if last > step.run_date:
        log.info("%s stays: the night of %s is published, and an older one moves no alias", tracking.CHAMPION, last)
        return False
    if version is None and promotions.hold(rows, step.run_date) is None:
        log.info("the floor is published: no alias moves")
        return False
    moved_to = hand.moved(rows)
    if moved_to is not None:
        log.warning("%s was moved by hand to version %d: the next live night publishes it", tracking.CHAMPION, moved_to)
    return moved_to is None


def move_aliases(row: Row) -> None:
    """`champion` to what is published, `previous` to what a rollback would go back to."""
    if not row["moves_alias"]:
        return
    version = row["model_version"]
    tracking.point(tracking.CHAMPION, version)
    tracking.point(tracking.PREVIOUS, promotions.before(decisions.everything(), version))
    log.info("%s stands at %s", tracking.CHAMPION, f"version {version}" if version else "no version: the floor serves")
