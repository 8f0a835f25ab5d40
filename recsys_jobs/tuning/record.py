"""What people see of a search: a line a trial, a table of the best, and all of it in MLflow.

Each finished trial is a run of the experiment `tuning`; what a kill kept from MLflow is logged by the next call.
"""

from __future__ import annotations

from typing import NamedTuple

from optuna.study import Study
from optuna.trial import FrozenTrial

from recsys_jobs.registry import mlflow_client, plots
from recsys_jobs.training.recipe import Recipe
from recsys_jobs.tuning.search import EPOCHS, REASON, SECONDS, best, finished
from recsys_jobs.tuning.space import own_values

EXPERIMENT, TRIAL, SEARCH = "tuning", "tuning", "search"  # the experiment, and its two kinds of runs
_NUMBER = "trial"


class Search(NamedTuple):
    """A study, the recipe that it varies, and what its runs in MLflow are found by and tagged with."""

    study: Study
    recipe: Recipe
    fingerprint: str
    tags: dict[str, str]


def log_trials(search: Search) -> None:
    """Log the finished trials that MLflow does not have."""
    runs = [run for run in mlflow_client.runs_of_fingerprint(search.fingerprint) if run.info.status == "FINISHED"]
    known = {run.data.tags.get(_NUMBER) for run in runs}
    for trial in finished(search.study):
        if str(trial.number) not in known:
            _log_trial(trial, search)


def _log_trial(trial: FrozenTrial, search: Search) -> None:
    name = search.recipe.name
    tags = search.tags | {"recipe": name, _NUMBER: str(trial.number), "state": trial.state.name.lower()}
    if reason := trial.user_attrs.get(REASON):
        tags[REASON] = reason
    with mlflow_client.new_run(f"{name} trial {trial.number}", TRIAL, search.fingerprint, tags, EXPERIMENT):
        mlflow_client.log_params(trial.params)
        if trial.value is not None:
            numbers = {name: float(trial.user_attrs[name]) for name in (EPOCHS, SECONDS)}
            mlflow_client.log_metrics({"validation_ndcg": trial.value} | numbers)


def log_search(search: Search) -> None:
    """Log the table of all trials and their history to a run; a search that went on has one more."""
    trials, name = finished(search.study), search.recipe.name
    with mlflow_client.new_run(f"tune {name}", SEARCH, search.fingerprint, search.tags | {"recipe": name}, EXPERIMENT):
        figures: dict[str, list[object]] = {
            "trial": [t.number for t in trials],
            "validation_ndcg": [t.value for t in trials],
        }
        mlflow_client.log_table(
            figures | {key: [t.params[key] for t in trials] for key in trials[0].params}, "trials.json"
        )
        mlflow_client.log_metrics({"validation_ndcg": best(search.study).value or 0.0})
        plots.log_figure(plots.search_history([t.value for t in trials], name), "plots/search.png")


def line(trial: FrozenTrial, study: Study, recipe: Recipe) -> str:
    """Return a trial in one line: its number, worth, seconds, the best so far, and the values that it changed."""
    changed = told(trial, recipe)
    if trial.value is None:
        return f"trial {trial.number}: its fit failed ({trial.user_attrs[REASON]}), of {changed}"
    seconds, lead = trial.user_attrs[SECONDS], best(study)
    so_far = f"best {lead.value:.4f}, of trial {lead.number}"
    return f"trial {trial.number}: validation {trial.value:.4f}, {seconds:.1f} s; {so_far}; {changed}"


def table(study: Study, recipe: Recipe, most: int = 5) -> list[str]:
    """Return the best trials, a line each, under a line of headings."""
    valued = sorted((t for t in finished(study) if t.value is not None), key=lambda t: (-(t.value or 0.0), t.number))
    rows = [f"{t.value:>10.4f}  {t.number:>5}  {told(t, recipe)}" for t in valued[:most]]
    return [f"{'validation':>10}  {'trial':>5}  values", *rows]


def told(trial: FrozenTrial, recipe: Recipe) -> str:
    """Return in words the values of a trial that are not the recipe's own."""
    own = own_values(recipe)
    changed = [f"{name} {value:.4g}" for name, value in trial.params.items() if value != own[name]]
    return ", ".join(changed) or "the recipe as it stands"
