"""What people see of a search: a line a trial, a table of the best, and all of it in MLflow.

Each finished trial is a run of the experiment `tuning`; what a kill kept from MLflow is logged by the next call.
"""

from __future__ import annotations

from typing import NamedTuple

from optuna.study import Study
from optuna.trial import FrozenTrial

from recsys_jobs.registry import mlflow_client, plots
from recsys_jobs.training.recipe import Recipe
from recsys_jobs.tuning.search import EPOCHS, REASON, SECONDS, best_trial, finished_trials
from recsys_jobs.tuning.space import own_values

EXPERIMENT, TRIAL, SEARCH = "tuning", "tuning", "search"  # the experiment, and its two kinds of runs
_TRIAL_NUMBER = "trial"


class SearchLog(NamedTuple):
    """A study, the recipe that it varies, and what its runs in MLflow are found by and tagged with."""

    study: Study
    recipe: Recipe
    fingerprint: str
    tags: dict[str, str]


def log_trials(search_log: SearchLog) -> None:
    """Log the finished trials that MLflow does not have."""
    runs = mlflow_client.runs_of_fingerprint(search_log.fingerprint)
    logged = {run.data.tags.get(_TRIAL_NUMBER) for run in runs if run.info.status == "FINISHED"}
    for trial in finished_trials(search_log.study):
        if str(trial.number) not in logged:
            _log_trial(trial, search_log)


def _log_trial(trial: FrozenTrial, search_log: SearchLog) -> None:
    recipe_name = search_log.recipe.name
    tags = search_log.tags | {
        "recipe": recipe_name,
        _TRIAL_NUMBER: str(trial.number),
        "state": trial.state.name.lower(),
    }
    if reason := trial.user_attrs.get(REASON):
        tags[REASON] = reason
    run_name = f"{recipe_name} trial {trial.number}"
    with mlflow_client.new_run(run_name, TRIAL, search_log.fingerprint, tags, EXPERIMENT):
        mlflow_client.log_params(trial.params)
        if trial.value is not None:
            costs = {name: float(trial.user_attrs[name]) for name in (EPOCHS, SECONDS)}
            mlflow_client.log_metrics({"validation_ndcg": trial.value} | costs)


def log_search(search_log: SearchLog) -> None:
    """Log the table of all trials and their history to a run; a search that went on has one more."""
    study, recipe_name = search_log.study, search_log.recipe.name
    trials = finished_trials(study)
    columns: dict[str, list[object]] = {
        "trial": [trial.number for trial in trials],
        "validation_ndcg": [trial.value for trial in trials],
    }
    columns |= {name: [trial.params[name] for trial in trials] for name in trials[0].params}
    tags = search_log.tags | {"recipe": recipe_name}
    with mlflow_client.new_run(f"tune {recipe_name}", SEARCH, search_log.fingerprint, tags, EXPERIMENT):
        mlflow_client.log_table(columns, "trials.json")
        mlflow_client.log_metrics({"validation_ndcg": best_trial(study).value or 0.0})
        plots.log_figure(plots.search_history([trial.value for trial in trials], recipe_name), "plots/search.png")


def trial_line(trial: FrozenTrial, study: Study, recipe: Recipe) -> str:
    """Return a trial in one line: its number, score, seconds, the best so far, and the values that it changed."""
    changed = changed_values(trial, recipe)
    if trial.value is None:
        return f"trial {trial.number}: its fit failed ({trial.user_attrs[REASON]}), of {changed}"
    seconds, best = trial.user_attrs[SECONDS], best_trial(study)
    so_far = f"best {best.value:.4f}, of trial {best.number}"
    return f"trial {trial.number}: validation {trial.value:.4f}, {seconds:.1f} s; {so_far}; {changed}"


def best_trials_table(study: Study, recipe: Recipe, most: int = 5) -> list[str]:
    """Return the best trials, a line each, under a line of headings."""
    scored = [trial for trial in finished_trials(study) if trial.value is not None]
    best_first = sorted(scored, key=lambda trial: (-(trial.value or 0.0), trial.number))
    rows = [f"{trial.value:>10.4f}  {trial.number:>5}  {changed_values(trial, recipe)}" for trial in best_first[:most]]
    return [f"{'validation':>10}  {'trial':>5}  values", *rows]


def changed_values(trial: FrozenTrial, recipe: Recipe) -> str:
    """Return in words the values of a trial that are not the recipe's own."""
    own = own_values(recipe)
    changed = [f"{name} {value:.4g}" for name, value in trial.params.items() if value != own[name]]
    return ", ".join(changed) or "the recipe as it stands"
