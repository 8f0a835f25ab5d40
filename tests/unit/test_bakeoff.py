"""A bake-off's verdict: Holm by hand, recipes whose users' values are typed by rule, windows, what is written."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
import torch

from recsys_jobs.challenges.bakeoff import options
from recsys_jobs.challenges.bakeoff.confirm import may_decide
from recsys_jobs.challenges.bakeoff.entrants import Entrant, Skipped
from recsys_jobs.challenges.bakeoff.ranking import holm, rank
from recsys_jobs.challenges.bakeoff.record import ranking_table
from recsys_jobs.challenges.bakeoff.windows import ranking_night
from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.evaluation.top_k_evaluation import MetricRow, TopKEvaluation
from recsys_jobs.models.folded_model import ITEM, USER, FoldedModel
from recsys_jobs.registry.fits import Fit
from recsys_jobs.training.recipe import Recipe

USERS = 400
SETTINGS = Settings(min_users=200, k=20)
FOLDED = FoldedModel({USER: torch.zeros(1, 1), ITEM: torch.zeros(1, 1)})


def entrant(name: str, mean: float, turn: int = 2, users: int = USERS, servable: bool = True) -> Entrant:
    """Turn by turn `turn` users are a quarter above the mean and as many below: recipes differ by user."""
    place_U = np.arange(users)
    wave_U = np.where(place_U // turn % 2 == 0, 0.25, -0.25)
    ndcg_U = mean + wave_U - wave_U.mean()
    rows = [
        MetricRow("all", "ndcg", 20, mean, mean - 0.02, mean + 0.02, users),
        MetricRow("all", "recall", 20, mean, None, None, users),
        MetricRow("all", "coverage", 20, 0.5, None, None, users),
    ]
    asked = TopKEvaluation(place_U, {("ndcg", 20): ndcg_U}, rows, True, users, 0)
    return Entrant(Fit("run", f"{name}-fit", Recipe(name, "family"), 0, FOLDED), asked, servable)


def test_holm_gives_each_turn_more_room_and_stops_at_the_first_that_fails() -> None:
    assert holm([0.04, 0.001, 0.03]) == [
        (0.05, False),
        (pytest.approx(0.05 / 3), True),
        (0.025, False),
    ]
    assert [passed for _, passed in holm([0.010, 0.020, 0.045])] == [True, True, True]
    assert [passed for _, passed in holm([0.020, 0.021, 0.022])] == [False, False, False]
    assert holm([]) == []


def test_the_best_that_is_ahead_beyond_doubt_is_nominated() -> None:
    found = rank([entrant("old", 0.4), entrant("new", 0.6, 3), entrant("noise", 0.2, 5)], "old", SETTINGS)
    assert [one.fit.recipe.name for one in found.entrants] == ["new", "old", "noise"]
    assert [(p.ahead, p.behind, p.shown) for p in found.pairs] == [
        ("new", "old", True),
        ("new", "noise", True),
        ("old", "noise", True),
    ]
    assert found.nominated == "new"
    assert found.reason.startswith("new is nominated: +0.2000 [+0.") and "on 400 users" in found.reason


def test_no_difference_shown_is_a_result() -> None:
    found = rank([entrant("old", 0.40), entrant("new", 0.41, 3)], "old", SETTINGS)
    assert found.nominated is None
    assert found.reason == "no difference shown: nobody is ahead of old beyond doubt"
    assert [row["came_to"] for row in ranking_table(found, [], "old", 20)] == ["no difference shown", "in force"]


def test_the_best_two_may_differ_from_the_third_and_not_from_each_other() -> None:
    found = rank([entrant("old", 0.2), entrant("a", 0.61, 3), entrant("b", 0.60, 5)], "old", SETTINGS)
    assert found.nominated == "a"
    assert found.reason.endswith("; no difference shown from b")


def test_more_recipes_ask_for_a_larger_lead() -> None:
    old, new = entrant("old", 0.4), entrant("new", 0.446, 3)  # the standard error is 0.35 / 20 = 0.018
    assert rank([old, new], "old", SETTINGS).nominated == "new"
    crowd = [entrant(f"like_{turn}", 0.4, turn) for turn in (7, 11, 13, 17, 19, 23, 29)]
    assert rank([old, new, *crowd], "old", SETTINGS).nominated is None


def test_the_next_best_is_nominated_where_nights_could_not_publish_the_best() -> None:
    best, next_best = entrant("best", 0.8, 5, servable=False), entrant("next", 0.7, 3)
    found = rank([entrant("old", 0.4), best, next_best], "old", SETTINGS)
    assert found.nominated == "next"
    assert rank([entrant("old", 0.4), best], "old", SETTINGS).reason.endswith("but cannot be published")


def test_few_users_nominate_nobody() -> None:
    found = rank([entrant("old", 0.1, users=199), entrant("new", 0.9, 3, users=199)], "old", SETTINGS)
    assert found.nominated is None
    assert found.reason == "undecided: 199 users are too few to rank by (200 needed)"


def test_the_table_has_a_row_for_each_recipe_and_the_reason_of_those_that_were_skipped() -> None:
    found = rank([entrant("old", 0.4), entrant("new", 0.6, 3), entrant("noise", 0.2, 5)], "old", SETTINGS)
    rows = ranking_table(found, [Skipped("ncf_rating", "no training event has any stars")], "old", 20)
    assert [(row["place"], row["recipe"], row["ndcg"], row["came_to"]) for row in rows] == [
        (1, "new", 0.6, "ahead, nominated"),
        (2, "old", 0.4, "in force"),
        (3, "noise", 0.2, "behind"),
        (None, "ncf_rating", None, "skipped: no training event has any stars"),
    ]
    new, old, noise, skipped = rows
    assert new["difference"] == pytest.approx(0.2) and new["difference_low"] > 0
    assert noise["difference"] == pytest.approx(-0.2) and noise["difference_high"] < 0
    assert noise["difference_low"] < noise["difference"] < noise["difference_high"]
    assert old["difference"] is None and skipped["fingerprint"] is None
    assert all(row.keys() == new.keys() for row in rows)


def test_the_window_that_ranks_is_over_before_the_one_that_confirms_begins() -> None:
    nights = [date(2024, 5, 18), date(2024, 5, 21), date(2024, 5, 26)]
    assert ranking_night(nights, date(2024, 5, 22)) == date(2024, 5, 21)
    assert ranking_night(nights, date(2024, 5, 21)) == date(2024, 5, 21)
    assert ranking_night(nights, date(2024, 5, 17)) is None


def test_of_a_backfill_only_the_bake_off_of_the_last_week_decides() -> None:
    nights = [date(2024, 5, 4), date(2024, 5, 11), date(2024, 5, 17)]
    assert [may_decide(day, nights) for day in nights] == [False, True, True]
    assert [may_decide(date(2024, 5, day), nights) for day in (10, 11)] == [False, True]


def test_a_list_of_recipes_with_a_gap_is_no_list() -> None:
    assert options.build_options("2024-05-01", "sage_fm, ease_text").recipes == ("sage_fm", "ease_text")
    assert options.build_options("2024-05-01", "").recipes == ()
    with pytest.raises(UsageError, match="write --recipes sage_fm,ease_text"):
        options.build_options("2024-05-01", "sage_fm,,ease_text")
