"""The intent of a night: a row that says what it is about to publish, and the aliases that follow it.

The order is row, tables, aliases, and the row closed: an open row says which steps are left.
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

LOCK = "publish"  # every change of the serving version or of the published tables holds it
log = logging.getLogger(__name__)


def ensure_intent(night: NightContext, slates: pa.Table) -> Row:
    """The row that says what this night publishes, and whether `champion` follows; appended if need be.

    An open row is resumed, and a closed one of the same model that the alias agrees with stands as it is.
    """
    rows = decision_log.all_rows()
    intent = _intent_row(night, slates)
    of_night = [row for row in rows if row["kind"] == "publish" and row["effective_date"] == night.run_date]
    for row in serving_rules.open_moves(of_night):
        if row["model_fingerprint"] == intent["model_fingerprint"]:
            return row
        decision_log.mark_failed(row, "other slates were made for this night")
    moves_alias = _moves_alias(night, intent["model_version"], rows)
    same_model = [row for row in of_night if row["model_fingerprint"] == intent["model_fingerprint"]]
    closed = [row for row in same_model if row["decision"] == "passed"]
    if closed and not (moves_alias and mlflow_client.champion() != intent["model_version"]):
        return closed[-1] | {"moves_alias": moves_alias}
    return decision_log.append_move(intent | {"moves_alias": moves_alias})


def version_of(slates: pa.Table) -> int | None:
    """The registry version that made these slates; None for a floor."""
    (version,) = pc.unique(slates["model_version"]).to_pylist()
    return None if version is None else int(version)


def _intent_row(night: NightContext, slates: pa.Table) -> Row:
    version = version_of(slates)
    recipe = mlflow_client.night_version(version).tags["recipe"] if version else slates["model_name"][0].as_py()
    hold = serving_rules.hold(decision_log.all_rows(), night.run_date)
    decision = hold.row if hold else decision_log.gate_decision(night.run_date, night.recipe)
    return {
        "kind": "publish",
        "effective_date": night.run_date,
        "recipe": recipe,
        "model_fingerprint": slates["model_fingerprint"][0].as_py(),
        "model_version": version,
        "decision": "passed",
        "publishes": recipe,
        "reason": decision["reason"],
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
    """Set `champion` to the published version, and `previous` to the version that a rollback would restore."""
    if not row["moves_alias"]:
        return
    version = row["model_version"]
    previous = serving_rules.previous_version(decision_log.all_rows(), version)
    mlflow_client.set_alias(mlflow_client.CHAMPION, version)
    mlflow_client.set_alias(mlflow_client.PREVIOUS, previous)
    champion = f"version {version}" if version else "no version: the floor serves"
    log.info("%s stands at %s", mlflow_client.CHAMPION, champion)
