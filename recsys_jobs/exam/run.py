"""A whole exam: fit each model, measure it, print the table, write JSON and plots, log to MLflow."""

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
from recsys_jobs.exam.datasets import masks
from recsys_jobs.exam.fit_in_process import Trained, train
from recsys_jobs.exam.mlflow_log import log_exam
from recsys_jobs.exam.options import MASKS, Call, recipes_of
from recsys_jobs.exam.predictions import Predictions, predictions
from recsys_jobs.exam.prepare import Question, ask
from recsys_jobs.exam.results import Row
from recsys_jobs.exam.user_slate import require_user, slate_text
from recsys_jobs.models.recipes import recipe as recipe_called
from recsys_jobs.ranking.maximal_marginal_relevance import content_vectors
from recsys_jobs.ranking.model import Model
from recsys_jobs.torch_common.devices import use_all_cores


def run(call: Call) -> list[Row]:
    """Run an exam and return its rows.

    A model whose fit fails leaves the others their figures; JobError at the end names it.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    if call.wandb:
        wandb_log.require()
    use_all_cores()
    question = ask(call, load_settings(), _say)
    if call.user:
        require_user(question, call.user)
    if call.diversity:
        content_vectors(question.sitting.scored)  # says so before a fit, not after, where there are none
    names = recipes_of(call, question.layout)
    exam = Exam(call, names, predictions=Predictions(call.predictions) if call.predictions else None)
    for asked in [
        question,
        *(modality_ablation.without(question, gone, call.seed) for gone in modality_ablation.removals(call.remove)),
    ]:
        for name in names:
            exam.sit(asked, name)
    if exam.rows:
        _publish(exam, question)
    if exam.failed:
        raise JobError("; ".join(exam.failed))
    return exam.rows


@dataclass
class Exam:
    """An exam under way: its rows, its fits, and what failed."""

    call: Call
    names: Sequence[str]
    rows: list[Row] = field(default_factory=list)
    fits: list[Trained] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    predictions: Predictions | None = None
    uses: int = 0  # looks at the test figures of this data

    def sit(self, question: Question, name: str) -> None:
        """Fit one model and measure it. The next fit needs the memory, so nothing keeps the model."""
        _say(f"▸ {name}" + (f", {question.removed} removed" if question.removed else ""))
        try:
            trained, model = train(question.sitting, recipe_called(name), self.call.seed)
        except JobError as error:
            self.failed.append(str(error))
            return
        self.uses = self.uses or _counted(self.call, question, self.names)
        for asked in _masked(question, self.call):
            self.rows += results.rows_of(self.call, asked, trained, measure(model, asked, self.call))
        if not question.removed:
            self.fits.append(trained)
            self._look_closer(question, trained, model)
        _say(f"  fitted in {trained.seconds:.1f} s, peak {trained.peak_mb:,.0f} MB")

    def _look_closer(self, question: Question, trained: Trained, model: Model) -> None:
        """What else the call asks of a model: variety, every user's slate, one user's."""
        for weight in self.call.diversity:
            measured = [row for row in measure(model, question, self.call, weight) if row.slice == "all"]
            self.rows += results.rows_of(self.call, question, trained, measured, weight)
        if self.predictions:
            k, part = max(self.call.k_values), results.part_of(self.call)
            self.predictions.add(predictions(model, trained.recipe.name, question, k, part))
        if self.call.user:
            _say(slate_text(model, question, self.call.user))


def measure(model: Model, question: Question, call: Call, weight: float = 0.0) -> list[MetricRow]:
    """Return one model's figures."""
    sitting = question.sitting
    negatives = Negatives(call.negatives, call.sampled, call.seed) if call.sampled else None
    how: dict[str, Any] = {"seed": call.seed, "hidden_UI": sitting.hidden_UI, "negatives": negatives}
    if call.task == "ranking":
        rows = evaluate_full_ranking(model, sitting.scored, sitting.holdout, **how)
    else:
        rows = evaluate_top_k(
            model, sitting.scored, sitting.holdout, k_values=list(call.k_values), diversity=weight, **how
        ).rows
    if not rows:
        raise JobError("nothing to measure on: nobody with a history is asked for anything; choose another protocol")
    return rows + evaluate_ratings(model, sitting.holdout, seed=call.seed)


def _masked(question: Question, call: Call) -> list[Question]:
    return [replace(question, sitting=sitting) for sitting in masks(question.sitting, call.mask)]


def _counted(call: Call, question: Question, names: Sequence[str]) -> int:
    """Count the look at test figures, before there is one."""
    return test_set_uses.record(question.fingerprint, question.data, question.protocol, names) if call.final else 0


def _publish(exam: Exam, question: Question) -> None:
    call = exam.call
    out = call.out or usual_place(call, question)
    results.write_json(exam.rows, out)
    plainly = [row for row in exam.rows if not row["variety"] and row["masked"] == question.sitting.masked]
    whole = _whole_of(question, exam.rows)
    pictures = [*results.write_plots(call, question, whole, out), *results.write_curves(exam.fits, out)]
    told = [results.table(call, asked, _whole_of(asked, exam.rows)) for asked in _masked(question, call)] * bool(whole)
    if found := modality_ablation.curves(plainly, results.rank_k(call)):
        told.append(modality_ablation.table(found, f"NDCG@{results.rank_k(call)} by the share removed"))
        pictures.append(modality_ablation.write_plot(found, f"{question.data}, {question.protocol}", out))
    if traded := diversity_trade_off.curves(exam.rows, results.rank_k(call)):
        told.append(diversity_trade_off.table(traded, results.rank_k(call)))
        pictures.append(diversity_trade_off.write_plot(traded, f"{question.data}, {question.protocol}", out))
    if exam.predictions:
        _say(f"predictions: {exam.predictions.close()}")
    log_exam(call, question, whole, exam.fits, [out, *pictures])
    _say("\n" + "\n\n".join(told) + "\n")
    if exam.uses:
        _say(f"test figures of this data were looked at {exam.uses} times")
    _say(f"rows: {out}")


def _whole_of(question: Question, rows: Sequence[Row]) -> list[Row]:
    """The rows of slates as they are, of all contents, with what the question masks."""
    masked = question.sitting.masked
    return [row for row in rows if not row["variety"] and not row["removed"] and row["masked"] == masked]


def usual_place(call: Call, question: Question) -> Path:
    """Under `var/exams`, by data and by what was asked, so that one way of asking does not overwrite another."""
    asked = [question.protocol, results.part_of(call)]
    asked += [call.task] * (call.task != "retrieval") + [call.mask] * (call.mask != MASKS[0])
    asked += [f"{call.negatives}_{call.sampled}"] if call.sampled else []
    asked += ["removed", *call.remove] if call.remove else []
    asked += [call.encoders] * bool(call.encoders)
    return var_dir() / "exams" / question.data / f"{'-'.join(asked)}.json"


def _say(line: str) -> None:
    print(line, flush=True)
