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

from recsys_jobs.challenges.bakeoff.entrants import Night, load_night
from recsys_jobs.challenges.bakeoff.windows import windows
from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.source_hash import sources_hash
from recsys_jobs.lake import delta
from recsys_jobs.models.blend.recipe import BlendRecipe
from recsys_jobs.models.recipes import get_recipe
from recsys_jobs.models.tuned_recipes import keep, place, root
from recsys_jobs.registry.fingerprint import model_fingerprint
from recsys_jobs.torch_common.devices import use_all_cores
from recsys_jobs.training.recipe import Recipe, part_recipes
from recsys_jobs.tuning import record
from recsys_jobs.tuning.confirm import confirm
from recsys_jobs.tuning.objective import worth
from recsys_jobs.tuning.options import Call
from recsys_jobs.tuning.search import SECONDS, Budget, best, finished, open_study, search
from recsys_jobs.tuning.space import own_values, space, varied

_SOURCES = ("recsys_jobs.tuning.objective", "recsys_jobs.tuning.space", "recsys_jobs.tuning.search")
log = logging.getLogger(__name__)


def tune(call: Call) -> str:
    """Search, keep the winner, confirm it; return what came of it as a sentence."""
    recipe = _searchable(call.recipe)
    night = load_night(windows(call.run_date).ranking, call.settings)
    study = searched(recipe, night, Budget(call.minutes * 60, call.trials))
    winner = best(study)
    if winner.params == own_values(recipe):
        return f"no better found: of {len(finished(study))} trials {recipe.name} as it stands is best on validation"
    found = keep(varied(recipe, winner.params))
    log.info("%s is kept in %s; written out: %s", found.name, place(found.name), as_code(found))
    if not call.confirms:
        return f"{found.name} is not measured on {call.run_date}: call again without --search-only"
    return confirm(found, call.run_date, call.settings)


def searched(recipe: Recipe, night: Night, budget: Budget) -> Study:
    """The recipe's study on the cut of this night, after as many more trials as the budget lets it have."""
    fingerprint, seed = study_fingerprint(recipe, night), night.context.settings.seed
    use_all_cores()
    with delta.writer_lock(f"tuning-{recipe.name}"):  # two searches would take each other's trials for killed ones
        study = open_study(f"{recipe.name}-{night.cut}-{fingerprint}")
        kept = record.Search(study, recipe, fingerprint, night.context.tags(night.cut))
        before = len(finished(study))
        _tell_plan(kept, night, budget)
        record.log_trials(kept)
        search(study, recipe, partial(worth, night.dataset, seed=seed), seed, budget, partial(_on_trial, kept))
        if len(finished(study)) > before:
            record.log_search(kept)
    for row in record.table(study, recipe):
        log.info("%s", row)
    return study


def _on_trial(kept: record.Search, trial: FrozenTrial) -> None:
    log.info("%s", record.line(trial, kept.study, kept.recipe))
    record.log_trials(kept)


def study_fingerprint(recipe: Recipe, night: Night) -> str:
    """What makes two searches one: the data, the recipe, the seed, and the sources of its fit and of the search."""
    parts = [model_fingerprint(night.dataset, recipe, night.context.settings.seed, None), *map(sources_hash, _SOURCES)]
    return hashlib.sha256("-".join(parts).encode()).hexdigest()[:16]


def as_code(found: Recipe) -> str:
    """Return the call that makes a tuned recipe out of the one that its search began with, to be written into code."""
    base = get_recipe(root(found.name))
    names = [field.name for field in dataclasses.fields(base) if field.name != "name"]
    changed = [name for name in names if getattr(found, name) != getattr(base, name)]
    words = [f"{name}={_written(getattr(found, name))}" for name in changed]
    return f"replace({base.name}(), {', '.join(words)})" if words else f"{base.name}()"


def _written(value: Any) -> str:
    if not isinstance(value, tuple):
        return repr(value)
    parts = [f"({weight!r}, {as_code(part)})" for weight, part in value]
    return f"({', '.join(parts)},)"


def _searchable(name: str) -> Recipe:
    recipe = get_recipe(name)
    if isinstance(recipe, BlendRecipe):
        parts = " or ".join(part.name for part in part_recipes(recipe) if space(part))
        raise UsageError(f"{name} is a blend, whose parts are tuned one at a time: recsys tune {parts}")
    if not space(recipe):
        raise UsageError(f"{name} has nothing to tune: its fit depends on no number of the recipe; name another recipe")
    return recipe


def _tell_plan(kept: record.Search, night: Night, budget: Budget) -> None:
    took = [trial.user_attrs[SECONDS] for trial in finished(kept.study) if SECONDS in trial.user_attrs]
    cost = f"a trial took {sum(took) / len(took):.1f} s, {len(took)} are done" if took else "the first tells its cost"
    most = f" or {budget.trials:g} in all" if math.isfinite(budget.trials) else ""
    log.info(
        "tune %s before %s, the cut of the early window: %s", kept.recipe.name, night.cut, ", ".join(space(kept.recipe))
    )
    log.info("no trial begins after %g minutes%s; %s", budget.seconds / 60, most, cost)
