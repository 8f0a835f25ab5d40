"""What a night means to publish, written down before it is done, and the aliases that follow it.

The order is row, tables, aliases, and the row closed: a row that is open says what is left to do.
"""

from __future__ import annotations

import json
import logging

import pyarrow as pa
import pyarrow.compute as pc

from recsys_jobs.contracts.tables import RECOMMENDATIONS
from recsys_jobs.lake import delta
from recsys_jobs.lake.code_version import code_version
from recsys_jobs.promotion import decision_log, manual_alias, serving_rules
from recsys_jobs.promotion.decision_log import Row
from recsys_jobs.promotion.night_context import NightContext
from recsys_jobs.registry import mlflow_client

LOCK = "publish"  # held by whatever changes what serves
log = logging.getLogger(__name__)


def of(night: NightContext, slates: pa.Table) -> Row:
    """The row that says what this night publishes, and whether `champion` follows; appended if need be.

    An open one is taken up again, and a closed one that nothing has changed since stands as it is.
    """
    rows, wanted = decision_log.all_rows(), _wanted(night, slates)
    of_night = [row for row in rows if row["kind"] == "publish" and row["effective_date"] == night.run_date]
    for row in serving_rules.open_moves(of_night):
        if row["model_fingerprint"] == wanted["model_fingerprint"]:
            return row
        decision_log.mark_failed(row, "other slates were made for this night")
    moves = _moves_alias(night, wanted["model_version"], rows)
    same = [r for r in of_night if r["model_fingerprint"] == wanted["model_fingerprint"] and r["decision"] == "passed"]
    if same and not (moves and mlflow_client.champion() != wanted["model_version"]):
        return same[-1] | {"moves_alias": moves}
    return decision_log.append_move(wanted | {"moves_alias": moves})


def version_of(slates: pa.Table) -> int | None:
    """The registry version that made these slates; None for a floor."""
    (version,) = pc.unique(slates["model_version"]).to_pylist()
    return None if version is None else int(version)


def _wanted(night: NightContext, slates: pa.Table) -> Row:
    version = version_of(slates)
    recipe = mlflow_client.night_version(version).tags["recipe"] if version else slates["model_name"][0].as_py()
    held = serving_rules.hold(decision_log.all_rows(), night.run_date)
    return {
        "kind": "publish",
        "effective_date": night.run_date,
        "recipe": recipe,
        "model_fingerprint": slates["model_fingerprint"][0].as_py(),
        "model_version": version,
        "decision": "passed",
        "publishes": recipe,
        "reason": (held.row if held else decision_log.gate_decision(night.run_date, night.recipe))["reason"],
        "lineage": json.dumps({"code_version": code_version()}),
        "completed_at": None,
    }


def _moves_alias(night: NightContext, version: int | None, rows: list[Row]) -> bool:
    """Whether `champion` follows: on the latest night alone, and not where a person moved it meanwhile.

    A floor has no version and leaves the alias alone, unless a person took the last version away.
    """
    last = max(delta.dates(RECOMMENDATIONS), default=night.run_date)
    if last > night.run_date:
        log.info(
            "%s stays: the night of %s is published, and an older one moves no alias", mlflow_client.CHAMPION, last
        )
        return False
    if version is None and serving_rules.hold(rows, night.run_date) is None:
        log.info("the floor is published: no alias moves")
        return False
    moved_to = manual_alias.moved_version(rows)
    if moved_to is not None:
        log.warning(
            "%s was moved by hand to version %d: the next live night publishes it", mlflow_client.CHAMPION, moved_to
        )
    return moved_to is None


def move_aliases(row: Row) -> None:
    """`champion` to what is published, `previous` to what a rollback would go back to."""
    if not row["moves_alias"]:
        return
    version = row["model_version"]
    mlflow_client.set_alias(mlflow_client.CHAMPION, version)
    mlflow_client.set_alias(mlflow_client.PREVIOUS, serving_rules.previous_version(decision_log.all_rows(), version))
    log.info(
        "%s stands at %s", mlflow_client.CHAMPION, f"version {version}" if version else "no version: the floor serves"
    )
