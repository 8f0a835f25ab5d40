"""A whole exam: fit each model, measure it, print the table, write JSON and plots, log to MLflow.

U users, I items.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import load_settings, var_dir
from recsys_jobs.evaluation.full_ranking import evaluate_full_ranking
from recsys_jobs.evaluation.ratings import evaluate_ratings
from recsys_jobs.evaluation.sampled_negatives import Negatives
from recsys_jobs.evaluation.top_k_evaluation import MetricRow, evaluate_top_k
from recsys_jobs.exam import diversity_trade_off, modality_ablation, results, test_set_uses, wandb_log
from recsys_jobs.exam.datasets import mask_variants
from recsys_jobs.exam.fit_in_process import FitSummary, fit_in_process
from recsys_jobs.exam.mlflow_log import log_exam
from recsys_jobs.exam.options import MASKS, ExamOptions, recipe_names
from recsys_jobs.exam.predictions import Predictions, predictions
from recsys_jobs.exam.prepare import PreparedExam, prepare_exam
from recsys_jobs.exam.results import Row
from recsys_jobs.exam.user_slate import require_user, slate_text
from recsys_jobs.models.recipes import get_recipe
from recsys_jobs.ranking.maximal_marginal_relevance import content_vectors
from recsys_jobs.ranking.model import Model
from recsys_jobs.torch_common.devices import use_all_cores


def run(options: ExamOptions) -> list[Row]:
    """Run an exam and return its rows.

    A model whose fit fails leaves the others their figures; JobError at the end names it.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    if options.wandb:
        wandb_log.require()
    use_all_cores()
    prepared = prepare_exam(options, load_settings(), _print)
    if options.user:
        require_user(prepared, options.user)
    if options.diversity:
        content_vectors(prepared.datasets.score)  # says so before a fit, not after, where there are none
    names = recipe_names(options, prepared.layout)
    exam = ExamRun(options, names, predictions=Predictions(options.predictions) if options.predictions else None)
    removals = modality_ablation.removals(options.remove)
    ablated = (modality_ablation.prepare_without(prepared, removal, options.seed) for removal in removals)
    for variant in (prepared, *ablated):
        for name in names:
            exam.evaluate(variant, name)
    if exam.rows:
        _publish(exam, prepared)
    if exam.failed:
        raise JobError("; ".join(exam.failed))
    return exam.rows


@dataclass
class ExamRun:
    """An exam under way: its rows, its fits, and what failed."""

    options: ExamOptions
    names: Sequence[str]
    rows: list[Row] = field(default_factory=list)
    fits: list[FitSummary] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    predictions: Predictions | None = None
    uses: int = 0  # looks at the test figures of this data

    def evaluate(self, prepared: PreparedExam, name: str) -> None:
        """Fit one model and measure it. The next fit needs the memory, so nothing keeps the model."""
        _print(f"▸ {name}" + (f", {prepared.removed} removed" if prepared.removed else ""))
        try:
            fit, model = fit_in_process(prepared.datasets, get_recipe(name), self.options.seed)
        except JobError as error:
            self.failed.append(str(error))
            return
        self.uses = self.uses or _count_test_set_use(self.options, prepared, self.names)
        for variant in _mask_variants(prepared, self.options):
            metrics = measure(model, variant, self.options)
            self.rows += results.result_rows(self.options, variant, fit, metrics)
        if not prepared.removed:
            self.fits.append(fit)
            self._add_extras(prepared, fit, model)
        _print(f"  fitted in {fit.seconds:.1f} s, peak {fit.peak_mb:,.0f} MB")

    def _add_extras(self, prepared: PreparedExam, fit: FitSummary, model: Model) -> None:
        """Add the figures of diverse slates, every user's slate and one user's, where the options ask for them."""
        for weight in self.options.diversity:
            metrics = measure(model, prepared, self.options, weight)
            metrics = [row for row in metrics if row.slice == "all"]
            self.rows += results.result_rows(self.options, prepared, fit, metrics, weight)
        if self.predictions:
            k, part = max(self.options.k_values), results.part_name(self.options)
            self.predictions.add(predictions(model, fit.recipe.name, prepared, k, part))
        if self.options.user:
            _print(slate_text(model, prepared, self.options.user))


def measure(model: Model, prepared: PreparedExam, options: ExamOptions, weight: float = 0.0) -> list[MetricRow]:
    """Return one model's figures."""
    datasets = prepared.datasets
    negatives = Negatives(options.negatives, options.sampled, options.seed) if options.sampled else None
    how: dict[str, Any] = {"seed": options.seed, "hidden_UI": datasets.hidden_UI, "negatives": negatives}
    if options.task == "ranking":
        rows = evaluate_full_ranking(model, datasets.score, datasets.holdout, **how)
    else:
        how |= {"k_values": list(options.k_values), "diversity": weight}
        rows = evaluate_top_k(model, datasets.score, datasets.holdout, **how).rows
    if not rows:
        raise JobError("nothing to measure on: nobody with a history is asked for anything; choose another protocol")
    return rows + evaluate_ratings(model, datasets.holdout, seed=options.seed)


def _mask_variants(prepared: PreparedExam, options: ExamOptions) -> list[PreparedExam]:
    return [replace(prepared, datasets=datasets) for datasets in mask_variants(prepared.datasets, options.mask)]


def _count_test_set_use(options: ExamOptions, prepared: PreparedExam, names: Sequence[str]) -> int:
    """Count the look at test figures, before there is one."""
    if not options.final:
        return 0
    return test_set_uses.record_use(prepared.fingerprint, prepared.data, prepared.protocol, names)


def _publish(exam: ExamRun, prepared: PreparedExam) -> None:
    """Write rows and plots, log them to MLflow, and print the tables."""
    options = exam.options
    out = options.out or default_output(options, prepared)
    results.write_json(exam.rows, out)
    rows = _plain_rows(prepared, exam.rows)
    plots = [*results.write_plots(options, prepared, rows, out), *results.write_curves(exam.fits, out)]
    tables = _result_tables(exam, prepared) if rows else []
    for table, plot in (_ablation(exam, prepared, out), _trade_off(exam, prepared, out)):
        tables += table
        plots += plot
    if exam.predictions:
        _print(f"predictions: {exam.predictions.close()}")
    log_exam(options, prepared, rows, exam.fits, [out, *plots])
    _print("\n" + "\n\n".join(tables) + "\n")
    if exam.uses:
        _print(f"test figures of this data were looked at {exam.uses} times")
    _print(f"rows: {out}")


def _result_tables(exam: ExamRun, prepared: PreparedExam) -> list[str]:
    """Return a table for each way to mask."""
    variants = _mask_variants(prepared, exam.options)
    return [results.table(exam.options, variant, _plain_rows(variant, exam.rows)) for variant in variants]


def _ablation(exam: ExamRun, prepared: PreparedExam, out: Path) -> tuple[list[str], list[Path]]:
    """Return the table and the plot of figures by the share of a modality removed; none without removals."""
    k = results.rank_k(exam.options)
    rows = [row for row in exam.rows if not row["variety"] and row["masked"] == prepared.datasets.masked]
    curves = modality_ablation.curves(rows, k)
    if not curves:
        return [], []
    table = modality_ablation.table(curves, f"NDCG@{k} by the share removed")
    return [table], [modality_ablation.write_plot(curves, _plot_title(prepared), out)]


def _trade_off(exam: ExamRun, prepared: PreparedExam, out: Path) -> tuple[list[str], list[Path]]:
    """Return the table and the plot of NDCG against diversity; none where no diverse slates were measured."""
    k = results.rank_k(exam.options)
    curves = diversity_trade_off.curves(exam.rows, k)
    if not curves:
        return [], []
    table = diversity_trade_off.table(curves, k)
    return [table], [diversity_trade_off.write_plot(curves, _plot_title(prepared), out)]


def _plot_title(prepared: PreparedExam) -> str:
    return f"{prepared.data}, {prepared.protocol}"


def _plain_rows(prepared: PreparedExam, rows: Sequence[Row]) -> list[Row]:
    """Return the rows without diversity or removed contents that mask what the prepared exam masks."""
    masked = prepared.datasets.masked
    return [row for row in rows if not row["variety"] and not row["removed"] and row["masked"] == masked]


def default_output(options: ExamOptions, prepared: PreparedExam) -> Path:
    """Return a path under `var/exams` by data and options, so that exams with other options do not overwrite it."""
    parts = [prepared.protocol, results.part_name(options)]
    if options.task != "retrieval":
        parts.append(options.task)
    if options.mask != MASKS[0]:
        parts.append(options.mask)
    if options.refit:
        parts.append("refit")
    if options.sampled:
        parts.append(f"{options.negatives}_{options.sampled}")
    if options.remove:
        parts += ["removed", *options.remove]
    if options.encoders:
        parts.append(options.encoders)
    return var_dir() / "exams" / prepared.data / f"{'-'.join(parts)}.json"


def _print(line: str) -> None:
    print(line, flush=True)
