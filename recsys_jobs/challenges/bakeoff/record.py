"""Where the ranking is kept: rows of `model_metrics`, and a run in MLflow with the table, a plot and the reason."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from recsys_jobs.challenges.bakeoff.entrants import Entrant, Skipped
from recsys_jobs.challenges.bakeoff.ranking import Pair, Ranking, between
from recsys_jobs.challenges.challenge import Challenger
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.evaluation.top_k_evaluation import MetricRow
from recsys_jobs.lake import model_metrics
from recsys_jobs.promotion.gate import Difference
from recsys_jobs.promotion.measure import metric_rows
from recsys_jobs.registry import mlflow_client, plots

KIND = "bakeoff"
_SHOWN = ("ndcg", "recall", "coverage")
_NO_VALUES = ("ndcg", "low", "high", "recall", "coverage", "difference", "difference_low", "difference_high", "level")
Row = dict[str, Any]


def table(ranking: Ranking, skipped: Sequence[Skipped], in_force: str, k: int) -> list[Row]:
    """One row a recipe, best first, then those that were skipped: the figures, and what they came to in words."""
    rows = [_row(place, one, ranking, in_force, k) for place, one in enumerate(ranking.entrants, 1)]
    nothing = {"place": None, "fingerprint": None, **dict.fromkeys(_NO_VALUES)}
    return rows + [{"recipe": one.recipe, **nothing, "came_to": f"skipped: {one.reason}"} for one in skipped]


def _row(place: int, one: Entrant, ranking: Ranking, in_force: str, k: int) -> Row:
    name = one.fit.recipe.name
    found = {row.metric: row for row in one.result.rows if row.slice == "all" and row.k == k}
    values = {metric: found[metric].value if metric in found else None for metric in _SHOWN}
    interval = (
        {"low": found["ndcg"].low, "high": found["ndcg"].high} if "ndcg" in found else {"low": None, "high": None}
    )
    same = {"recipe": name, "place": place, "fingerprint": one.fit.fingerprint, **values, **interval}
    if name == in_force:
        return same | dict.fromkeys(_NO_VALUES[5:]) | {"came_to": "in force"}
    pair = between(ranking.pairs, name, in_force)
    away = _away(pair, name)
    told = {"difference": away.value, "difference_low": away.low, "difference_high": away.high, "level": pair.level}
    return same | told | {"came_to": _came_to(pair, one, ranking)}


def _away(pair: Pair, name: str) -> Difference:
    """The pair's difference seen from `name`."""
    found = pair.difference
    return found if pair.ahead == name else Difference(-found.value, -found.high, -found.low, found.users)


def _came_to(pair: Pair, one: Entrant, ranking: Ranking) -> str:
    name = one.fit.recipe.name
    if not pair.shown:
        return "no difference shown"
    if pair.behind == name:
        return "behind"
    if name == ranking.nominated:
        return "ahead, nominated"
    return "ahead" if one.servable else "ahead, cannot be published"


def write(run_date: date, ranking: Ranking, in_force: str, settings: Settings) -> None:
    """Replace the date's rows of the ranking: every entrant's exam, and its difference from the recipe in force."""
    rows = [
        row for one in ranking.entrants for row in metric_rows(run_date, one.fit, one.result, model_metrics.BAKEOFF)
    ]
    for one in ranking.entrants:
        if one.fit.recipe.name != in_force:
            away = _away(between(ranking.pairs, one.fit.recipe.name, in_force), one.fit.recipe.name)
            rows.append(difference_row(run_date, one, away, model_metrics.BAKEOFF, settings.k))
    model_metrics.replace(run_date, model_metrics.BAKEOFF, rows)


def difference_row(run_date: date, one: Entrant | Challenger, away: Difference, protocol: str, k: int) -> Row:
    """The row of `model_metrics` that says how far an entrant, or a challenger, is from the recipe in force."""
    row = MetricRow("all", "ndcg_difference", k, away.value, away.low, away.high, away.users)
    [written] = metric_rows(run_date, one.fit, replace(one.result, rows=[row]), protocol)
    return written


def log_run(tags: dict[str, str], rows: list[Row], reason: str, k: int) -> str:
    """The bake-off's run in MLflow, made once for the same table; return its id."""
    kept = json.dumps([tags["run_date"], k, reason, rows], sort_keys=True)
    fingerprint = hashlib.sha256(kept.encode()).hexdigest()[:16]
    if found := mlflow_client.find_run(fingerprint, KIND):
        return str(found.info.run_id)
    with mlflow_client.new_run(f"bake-off {tags['run_date']}", KIND, fingerprint, tags | {"reason": reason}) as run:
        mlflow_client.log_table({name: [row[name] for row in rows] for name in rows[0]}, "bakeoff.json")
        measured_rows = [row for row in rows if row["ndcg"] is not None]
        mlflow_client.log_metrics({f"{row['recipe']}_ndcg_at_{k}": row["ndcg"] for row in measured_rows})
        if measured_rows:
            bars = [
                {"model": r["recipe"], "value": r["ndcg"], "low": r["low"], "high": r["high"]} for r in measured_rows
            ]
            plots.log_figure(plots.metric_bars(bars, f"NDCG@{k}"), "plots/ndcg.png")
    return str(run.info.run_id)
