"""A whole exam: fit each model, measure it, print the table, write JSON and plots, log to MLflow."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recsys_jobs.devices import use_all_cores
from recsys_jobs.errors import JobError
from recsys_jobs.evaluation.exam import MetricRow, examine
from recsys_jobs.evaluation.order import examine_order
from recsys_jobs.evaluation.ratings import examine_ratings
from recsys_jobs.evaluation.sampled import Negatives
from recsys_jobs.exams import final_uses, results
from recsys_jobs.exams.ask import Question, ask
from recsys_jobs.exams.call import MASKS, Call, recipes_of
from recsys_jobs.exams.fitting import Trained, train
from recsys_jobs.exams.logged import log_exam
from recsys_jobs.exams.one_slate import require_user, slate_text
from recsys_jobs.exams.results import Row
from recsys_jobs.models.contract import Model
from recsys_jobs.recipes import recipe as recipe_called
from recsys_jobs.settings import load_settings, var_dir


def run(call: Call) -> list[Row]:
    """Run an exam and return its rows.

    A model whose fit fails leaves the others their figures; JobError at the end names it.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    use_all_cores()
    question = ask(call, load_settings(), _say)
    if call.user:
        require_user(question, call.user)
    names = recipes_of(call, question.layout)
    uses = 0
    rows: list[Row] = []
    fits: list[Trained] = []
    failed: list[str] = []
    for name in names:
        _say(f"▸ {name}")
        try:
            trained, model = train(question.sitting, recipe_called(name), call.seed)
        except JobError as error:
            failed.append(str(error))
            continue
        uses = uses or _counted(call, question, names)
        rows += results.rows_of(call, question, trained, measure(model, question, call))
        fits.append(trained)
        if call.user:
            _say(slate_text(model, question, call.user))
        del model  # the next fit needs the memory
        _say(f"  fitted in {trained.seconds:.1f} s, peak {trained.peak_mb:,.0f} MB")
    if rows:
        _publish(call, question, rows, fits, uses)
    if failed:
        raise JobError("; ".join(failed))
    return rows


def measure(model: Model, question: Question, call: Call) -> list[MetricRow]:
    """Return one model's figures."""
    sitting = question.sitting
    negatives = Negatives(call.negatives, call.sampled, call.seed) if call.sampled else None
    how: dict[str, Any] = {"seed": call.seed, "hidden_UI": sitting.hidden_UI, "negatives": negatives}
    if call.task == "ranking":
        rows = examine_order(model, sitting.scored, sitting.holdout, **how)
    else:
        rows = examine(model, sitting.scored, sitting.holdout, k_values=list(call.k_values), **how).rows
    if not rows:
        raise JobError("nothing to measure on: nobody with a history is asked for anything; choose another protocol")
    return rows + examine_ratings(model, sitting.holdout, seed=call.seed)


def _counted(call: Call, question: Question, names: Sequence[str]) -> int:
    """Count the look at test figures, before there is one."""
    return final_uses.record(question.fingerprint, question.data, question.protocol, names) if call.final else 0


def _publish(call: Call, question: Question, rows: list[Row], fits: list[Trained], uses: int) -> None:
    out = call.out or usual_place(call, question)
    results.write_json(rows, out)
    pictures = [*results.write_plots(call, question, rows, out), *results.write_curves(fits, out)]
    log_exam(call, question, rows, fits, [out, *pictures])
    _say(f"\n{results.table(call, question, rows)}\n")
    if uses:
        _say(f"test figures of this data were looked at {uses} times")
    _say(f"rows: {out}")


def usual_place(call: Call, question: Question) -> Path:
    """Under `var/exams`, by data and by what was asked, so that one way of asking does not overwrite another."""
    asked = [question.protocol, results.part_of(call)]
    asked += [call.task] * (call.task != "retrieval") + [call.mask] * (call.mask != MASKS[0])
    asked += [f"{call.negatives}_{call.sampled}"] if call.sampled else []
    return var_dir() / "exams" / question.data / f"{'-'.join(asked)}.json"


def _say(line: str) -> None:
    print(line, flush=True)
