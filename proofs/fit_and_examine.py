"""One fit and its exam in this process; `recsys exam` gives each fit a process of its own, to tell its memory."""

from __future__ import annotations

from recsys_jobs.evaluation.top_k_evaluation import TopKEvaluation, evaluate_top_k
from recsys_jobs.exam.datasets import EvaluationDatasets
from recsys_jobs.models import families
from recsys_jobs.models.families import Fitted
from recsys_jobs.torch_common.devices import choose_device
from recsys_jobs.training.recipe import Recipe


def fit_and_examine(
    datasets: EvaluationDatasets, recipe: Recipe, *, seed: int, k: int
) -> tuple[Fitted, TopKEvaluation]:
    """Return a recipe's fit, and what it reaches at `k`. U users, I items."""
    fitted = families.fit(datasets.for_fit(recipe), recipe, seed=seed, device=choose_device())
    model = families.load(fitted.model.weights(), datasets.score, recipe)
    result = evaluate_top_k(
        model,
        datasets.score,
        datasets.holdout,
        k_values=[k],
        seed=seed,
        hidden_UI=datasets.hidden_UI,
    )
    return fitted, result
