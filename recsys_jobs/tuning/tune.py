"""Searches a recipe's hyperparameters on the cut of the early window, and confirms the winner on the later one.

The windows are the bake-off's. The search gets the early window's dataset, which ends at its cut, and is over before
the later window is opened.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import math
from functools import partial
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial

from recsys_jobs.challenges.bakeoff.entrants import RankingNight, load_ranking_night
from recsys_jobs.challenges.bakeoff.windows import windows
from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.source_hash import sources_hash
from recsys_jobs.lake import delta
from recsys_jobs.models.blend.recipe import BlendRecipe
from recsys_jobs.models.recipes import get_recipe
from recsys_jobs.models.tuned_recipes import keep, place, root
from recsys_jobs.registry.fingerprint import model_fingerprint
from recsys_jobs.torch_common.devices import use_all_cores
from recsys_jobs.training.recipe import Recipe
from recsys_jobs.tuning import record
from recsys_jobs.tuning.confirm import confirm
from recsys_jobs.tuning.objective import validation_score
from recsys_jobs.tuning.options import TuneOptions
from recsys_jobs.tuning.search import SECONDS, Budget, best_trial, finished_trials, open_study, run_trials
from recsys_jobs.tuning.space import own_values, parts_of, search_space, with_values

_SOURCES = ("recsys_jobs.tuning.objective", "recsys_jobs.tuning.space", "recsys_jobs.tuning.search")
log = logging.getLogger(__name__)


def tune(options: TuneOptions) -> str:
    """Search, keep the winner, confirm it; return the outcome as a sentence."""
    recipe = _searchable_recipe(options.recipe)
    night = load_ranking_night(windows(options.run_date).ranking, options.settings)
    study = search_recipe(recipe, night, Budget(options.minutes * 60, options.trials))
    best = best_trial(study)
    if best.params == own_values(recipe):
        trials = len(finished_trials(study))
        return f"no better found: of {trials} trials {recipe.name} as it stands is best on validation"
    winner = keep(with_values(recipe, best.params))
    log.info("%s is kept in %s; written out: %s", winner.name, place(winner.name), as_code(winner))
    if not options.confirms:
        return f"{winner.name} is not measured on {options.run_date}: call again without --search-only"
    return confirm(winner, options.run_date, options.settings)


def search_recipe(recipe: Recipe, night: RankingNight, budget: Budget) -> Study:
    """Return the recipe's study on the cut of this night, after as many more trials as the budget lets it have."""
    fingerprint, seed = study_fingerprint(recipe, night), night.context.settings.seed
    use_all_cores()
    with delta.writer_lock(f"tuning-{recipe.name}"):  # two searches would take each other's trials for killed ones
        study = open_study(f"{recipe.name}-{night.cut}-{fingerprint}")
        search_log = record.SearchLog(study, recipe, fingerprint, night.context.tags(night.cut))
        trials_before = len(finished_trials(study))
        _log_plan(search_log, night, budget)
        record.log_trials(search_log)
        score = partial(validation_score, night.dataset, seed=seed)
        run_trials(study, recipe, score, seed, budget, partial(_on_trial, search_log))
        if len(finished_trials(study)) > trials_before:
            record.log_search(search_log)
    for row in record.best_trials_table(study, recipe):
        log.info("%s", row)
    return study


def _on_trial(search_log: record.SearchLog, trial: FrozenTrial) -> None:
    log.info("%s", record.trial_line(trial, search_log.study, search_log.recipe))
    record.log_trials(search_log)


def study_fingerprint(recipe: Recipe, night: RankingNight) -> str:
    """Return what makes two searches one: data, recipe, seed, and the sources of its fit and of the search."""
    fit_fingerprint = model_fingerprint(night.dataset, recipe, night.context.settings.seed, None)
    parts = [fit_fingerprint, *map(sources_hash, _SOURCES)]
    return hashlib.sha256("-".join(parts).encode()).hexdigest()[:16]


def as_code(tuned: Recipe) -> str:
    """Return the call that makes a tuned recipe out of the one that its search began with, to be written into code."""
    base = get_recipe(root(tuned.name))
    names = [field.name for field in dataclasses.fields(base) if field.name != "name"]
    changed = [name for name in names if getattr(tuned, name) != getattr(base, name)]
    arguments = [f"{name}={_literal(getattr(tuned, name))}" for name in changed]
    return f"replace({base.name}(), {', '.join(arguments)})" if arguments else f"{base.name}()"


def _literal(value: Any) -> str:
    if not isinstance(value, tuple):
        return repr(value)
    parts = [f"({weight!r}, {as_code(part)})" for weight, part in value]
    return f"({', '.join(parts)},)"


def _searchable_recipe(name: str) -> Recipe:
    recipe = get_recipe(name)
    if isinstance(recipe, BlendRecipe):
        parts = " or ".join(part.name for part in parts_of(recipe) if search_space(part))
        raise UsageError(f"{name} is a blend, whose parts are tuned one at a time: recsys tune {parts}")
    if not search_space(recipe):
        raise UsageError(f"{name} has nothing to tune: its fit depends on no number of the recipe; name another recipe")
    return recipe


def _log_plan(search_log: record.SearchLog, night: RankingNight, budget: Budget) -> None:
    recipe, trials = search_log.recipe, finished_trials(search_log.study)
    seconds = [trial.user_attrs[SECONDS] for trial in trials if SECONDS in trial.user_attrs]
    cost = "the first tells its cost"
    if seconds:
        cost = f"a trial took {sum(seconds) / len(seconds):.1f} s, {len(seconds)} are done"
    most = f" or {budget.trials:g} in all" if math.isfinite(budget.trials) else ""
    names = ", ".join(search_space(recipe))
    log.info("tune %s before %s, the cut of the early window: %s", recipe.name, night.cut, names)
    log.info("no trial begins after %g minutes%s; %s", budget.seconds / 60, most, cost)
