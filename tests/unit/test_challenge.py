"""Who takes over: one challenger by its interval, several by Holm's correction; per-user values typed by rule."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recsys_jobs.challenges.challenge import Challenger, Verdict, judge, p_value
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.evaluation.top_k_evaluation import TopKEvaluation
from recsys_jobs.models.folded_model import ITEM, USER, FoldedModel
from recsys_jobs.registry.fits import Fit
from recsys_jobs.training.recipe import Recipe

USERS = 400
SETTINGS = Settings(min_users=200, k=20, floors=("floor",))
FOLDED = FoldedModel({USER: torch.zeros(1, 1), ITEM: torch.zeros(1, 1)})
HALF = np.arange(USERS) % 2 == 0


class Unfolded(FoldedModel):
    def factors(self) -> None:  # type: ignore[override]
        return None


def result(ndcg_U: np.ndarray, finite: bool = True) -> TopKEvaluation:
    return TopKEvaluation(np.arange(len(ndcg_U)), {("ndcg", 20): ndcg_U}, [], finite, len(ndcg_U), 0)


def entrant(name: str, lead: float, users: int = USERS, finite: bool = True, model: FoldedModel = FOLDED) -> Challenger:
    """Ahead of `champion` by `lead` on average: by 0.5 more for half of the users, by 0.5 less for the others."""
    asked = result(0.5 + lead + np.where(HALF, 0.5, -0.5)[:users], finite)
    fit = Fit("run", f"{name}-fit", Recipe(name, "family"), 0, model)
    return Challenger(fit, asked, p_value(asked, result(np.full(users, 0.5)), SETTINGS))


def champion(users: int = USERS) -> Challenger:
    return Challenger(Fit("run", "c", Recipe("champion", "family"), 0, FOLDED), result(np.full(users, 0.5)), 1.0)


def verdicts(*challengers: Challenger, users: int = USERS) -> dict[str, Verdict]:
    found = judge(champion(users), list(challengers), SETTINGS)
    return {one.challenger.fit.recipe.name: one for one in found}


def decisions(*challengers: Challenger, users: int = USERS) -> dict[str, str]:
    return {name: one.decision for name, one in verdicts(*challengers, users=users).items()}


def test_one_that_is_ahead_beyond_doubt_takes_over() -> None:
    found = verdicts(entrant("new", 0.06))["new"]  # the standard error is 0.5 / 20 = 0.025
    assert found.decision == "passed"
    assert found.difference.low > 0
    assert "new is in force from the next night on" in found.reason and "at 95.0% on 400 users" in found.reason


@pytest.mark.parametrize("lead", [0.03, 0.0, -0.06], ids=["in doubt", "level", "behind"])
def test_one_that_may_be_no_better_does_not(lead: float) -> None:
    assert decisions(entrant("new", lead)) == {"new": "failed"}


def test_several_are_held_to_more_and_only_nominated() -> None:
    alone, crowd = entrant("a", 0.055), [entrant(name, 0.0) for name in "bcdefghij"]
    assert decisions(alone) == {"a": "passed"}
    assert decisions(alone, *crowd)["a"] == "failed"  # at 99.5 % its interval reaches below zero
    found = verdicts(entrant("a", 0.2), *crowd)
    assert found["a"].decision == "undecided" and "confirm it on a later one: recsys challenge a" in found["a"].reason
    assert {found[name].decision for name in "bcdefghij"} == {"failed"}


def test_the_second_of_two_is_held_to_less_than_the_first() -> None:
    found = verdicts(entrant("a", 0.2), entrant("b", 0.055))
    assert [one.decision for one in found.values()] == ["undecided", "undecided"]
    assert "at 97.5%" in found["a"].reason and "at 95.0%" in found["b"].reason


def test_few_users_decide_nothing() -> None:
    assert decisions(entrant("new", 0.4, users=199), users=199) == {"new": "undecided"}


def test_scores_that_are_not_finite_never_win() -> None:
    assert decisions(entrant("new", 0.4, finite=False)) == {"new": "failed"}


def test_what_cannot_be_registered_is_not_put_in_force_unless_it_is_the_floor() -> None:
    model = Unfolded({})
    assert decisions(entrant("new", 0.4, model=model)) == {"new": "failed"}
    assert decisions(entrant("floor", 0.4, model=model)) == {"floor": "passed"}
