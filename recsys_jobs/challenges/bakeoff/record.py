"""Records a ranking: rows of `model_metrics`, and a run in MLflow with the table, a plot and the reason."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from recsys_jobs.challenges.bakeoff.entrants import Entrant, Skipped
from recsys_jobs.challenges.bakeoff.ranking import Pair, Ranking, find_pair
from recsys_jobs.challenges.challenge import Challenger
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.evaluation.top_k_evaluation import MetricRow
from recsys_jobs.lake import model_metrics
from recsys_jobs.promotion.gate import Difference
from recsys_jobs.promotion.measure import metric_rows
from recsys_jobs.registry import mlflow_client, plots

KIND = "bakeoff"
_SHOWN = ("ndcg", "recall", "coverage")
_DIFFERENCE_VALUES = ("difference", "difference_low", "difference_high", "level")
_VALUES = ("ndcg", "low", "high", "recall", "coverage", *_DIFFERENCE_VALUES)
Row = dict[str, Any]


def ranking_table(ranking: Ranking, skipped: Sequence[Skipped], in_force: str, k: int) -> list[Row]:
    """One row a recipe, best first, then one a skipped recipe: the figures, and the outcome in words."""
    rows = [_table_row(place, entrant, ranking, in_force, k) for place, entrant in enumerate(ranking.entrants, 1)]
    empty = {"place": None, "fingerprint": None, **dict.fromkeys(_VALUES)}
    return rows + [{"recipe": skip.recipe, **empty, "came_to": f"skipped: {skip.reason}"} for skip in skipped]


def _table_row(place: int, entrant: Entrant, ranking: Ranking, in_force: str, k: int) -> Row:
    fit = entrant.fit
    exam = {"recipe": fit.recipe.name, "place": place, "fingerprint": fit.fingerprint, **_exam_values(entrant, k)}
    return exam | _comparison(entrant, ranking, in_force)


def _exam_values(entrant: Entrant, k: int) -> Row:
    """The entrant's metrics at `k` over all users, and the interval of its NDCG; None for a metric it has not."""
    row_of = {row.metric: row for row in entrant.result.rows if row.slice == "all" and row.k == k}
    values: Row = {metric: row_of[metric].value if metric in row_of else None for metric in _SHOWN}
    ndcg = row_of.get("ndcg")
    return values | {"low": ndcg.low if ndcg else None, "high": ndcg.high if ndcg else None}


def _comparison(entrant: Entrant, ranking: Ranking, in_force: str) -> Row:
    """The entrant's difference from the recipe in force, and the outcome in words."""
    name = entrant.fit.recipe.name
    if name == in_force:
        return dict.fromkeys(_DIFFERENCE_VALUES) | {"came_to": "in force"}
    pair = find_pair(ranking.pairs, name, in_force)
    difference = _difference_from(pair, name)
    return {
        "difference": difference.value,
        "difference_low": difference.low,
        "difference_high": difference.high,
        "level": pair.level,
        "came_to": _outcome(pair, entrant, ranking),
    }


def _difference_from(pair: Pair, name: str) -> Difference:
    """The pair's difference seen from `name`."""
    ahead = pair.difference
    return ahead if pair.ahead == name else Difference(-ahead.value, -ahead.high, -ahead.low, ahead.users)


def _outcome(pair: Pair, entrant: Entrant, ranking: Ranking) -> str:
    name = entrant.fit.recipe.name
    if not pair.shown:
        return "no difference shown"
    if pair.behind == name:
        return "behind"
    if name == ranking.nominated:
        return "ahead, nominated"
    return "ahead" if entrant.servable else "ahead, cannot be published"


def write_metrics(run_date: date, ranking: Ranking, in_force: str, settings: Settings) -> None:
    """Replace the date's rows of the ranking: every entrant's metrics, and its difference from the recipe in force."""
    protocol = model_metrics.BAKEOFF
    rows: list[Row] = []
    for entrant in ranking.entrants:
        rows += metric_rows(run_date, entrant.fit, entrant.result, protocol)
    for entrant in ranking.entrants:
        name = entrant.fit.recipe.name
        if name != in_force:
            difference = _difference_from(find_pair(ranking.pairs, name, in_force), name)
            rows.append(difference_row(run_date, entrant, difference, protocol, settings.k))
    model_metrics.replace(run_date, protocol, rows)


def difference_row(run_date: date, model: Entrant | Challenger, difference: Difference, protocol: str, k: int) -> Row:
    """The row of `model_metrics` that says how far an entrant, or a challenger, is from the recipe in force."""
    row = MetricRow("all", "ndcg_difference", k, difference.value, difference.low, difference.high, difference.users)
    [metric_row] = metric_rows(run_date, model.fit, replace(model.result, rows=[row]), protocol)
    return metric_row


def log_run(tags: dict[str, str], rows: list[Row], reason: str, k: int) -> str:
    """The bake-off's run in MLflow, made once for the same table; return its id."""
    content = json.dumps([tags["run_date"], k, reason, rows], sort_keys=True)
    fingerprint = hashlib.sha256(content.encode()).hexdigest()[:16]
    if earlier_run := mlflow_client.find_run(fingerprint, KIND):
        return str(earlier_run.info.run_id)
    with mlflow_client.new_run(f"bake-off {tags['run_date']}", KIND, fingerprint, tags | {"reason": reason}) as run:
        mlflow_client.log_table({name: [row[name] for row in rows] for name in rows[0]}, "bakeoff.json")
        evaluated = [row for row in rows if row["ndcg"] is not None]
        mlflow_client.log_metrics({f"{row['recipe']}_ndcg_at_{k}": row["ndcg"] for row in evaluated})
        if evaluated:
            _log_bars(evaluated, k)
    return str(run.info.run_id)


def _log_bars(rows: list[Row], k: int) -> None:
    """Log the plot of each recipe's NDCG with its interval."""
    columns = {"model": "recipe", "value": "ndcg", "low": "low", "high": "high"}  # of the plot, of the table
    bars = [{name: row[column] for name, column in columns.items()} for row in rows]
    plots.log_figure(plots.metric_bars(bars, f"NDCG@{k}"), "plots/ndcg.png")
