"""The search itself: Optuna's TPE (Bergstra et al. 2011) suggests values, a fit's score on validation answers.

A study is a SQLite file of its own: each trial is a transaction, so that a kill leaves whole trials, where a journal's
last line could be half a line, behind which nothing is read again. The sampler is seeded by the finished trials before
each one, so that a search that was killed asks again for what it was at, and ends as it would have.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import optuna
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.settings import var_dir
from recsys_jobs.training.recipe import Recipe
from recsys_jobs.tuning.objective import ValidationScore
from recsys_jobs.tuning.space import own_values, search_space, with_values

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)  # pruned: its fit failed, which is a result; killed ones are FAIL
EPOCHS, SECONDS, REASON = "epochs", "seconds", "reason"


class Budget(NamedTuple):
    """When no trial is started any more: seconds from now, or so many finished ones, earlier calls' included."""

    seconds: float
    trials: float = math.inf


def open_study(name: str) -> Study:
    """Return the study of this name under `var/tuning`, made where there is none."""
    path = var_dir() / "tuning" / f"{name}.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    storage = RDBStorage(f"sqlite:///{path}")
    return optuna.create_study(study_name=name, storage=storage, direction="maximize", load_if_exists=True)


def run_trials(
    study: Study,
    recipe: Recipe,
    score: Callable[[Recipe], ValidationScore],
    seed: int,
    budget: Budget,
    on_trial: Callable[[FrozenTrial], None],
) -> None:
    """Run trials until the budget is used up; the first, the recipe itself, is run whatever is left of it.

    `on_trial` gets each one when it has finished. A variation whose fit fails is a bad trial; JobError or
    UsageError where the recipe's own does.
    """
    for killed in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(killed.number, state=TrialState.FAIL)
    deadline = time.monotonic() + budget.seconds
    while not finished_trials(study) or (time.monotonic() < deadline and len(finished_trials(study)) < budget.trials):
        _run_trial(study, recipe, score, seed)
        on_trial(finished_trials(study)[-1])


def finished_trials(study: Study) -> list[FrozenTrial]:
    """Return the trials that have a result, in their order."""
    return study.get_trials(states=FINISHED)


def best_trial(study: Study) -> FrozenTrial:
    """Return the trial of most NDCG on validation; of equal trials, the first."""
    return max(study.get_trials(states=(TrialState.COMPLETE,)), key=lambda trial: trial.value or 0.0)


def _run_trial(study: Study, recipe: Recipe, score: Callable[[Recipe], ValidationScore], seed: int) -> None:
    trial = _ask_trial(study, recipe, seed)
    began = time.monotonic()
    try:
        result = score(with_values(recipe, trial.params))
    except (JobError, UsageError) as error:
        if not finished_trials(study):
            raise
        trial.set_user_attr(REASON, str(error))
        study.tell(trial, state=TrialState.PRUNED)
        return
    trial.set_user_attr(EPOCHS, result.epochs)
    trial.set_user_attr(SECONDS, time.monotonic() - began)
    study.tell(trial, result.ndcg)


def _ask_trial(study: Study, recipe: Recipe, seed: int) -> Trial:
    finished = len(finished_trials(study))
    [sampler_seed] = np.random.SeedSequence((seed, finished)).generate_state(1)
    study.sampler = TPESampler(seed=int(sampler_seed))
    if not finished and not study.get_trials(states=(TrialState.WAITING,)):
        study.enqueue_trial(own_values(recipe))
    return study.ask(search_space(recipe))
