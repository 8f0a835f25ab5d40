"""The one look at the later window: the winner of a search challenges the recipe in force, once.

The log of decisions says whether a search of this recipe was confirmed on that window before. Then nothing is measured
again, not even another winner: a search that may look, go on and look again selects on what it is confirmed by.
"""

from __future__ import annotations

from datetime import date, timedelta

from recsys_jobs.challenges.challenge import challenge
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.models.tuned_recipes import is_tuned, root
from recsys_jobs.promotion import decision_log
from recsys_jobs.promotion.decision_log import Row
from recsys_jobs.training.recipe import Recipe


def confirm(winner: Recipe, run_date: date, settings: Settings) -> str:
    """Challenge with the winner on the night of `run_date`, unless it was looked at; return what came of it."""
    if before := _looked(winner.name, run_date):
        if before["recipe"] == winner.name:
            return f"measured before, and not again: {before['reason']}"
        return (
            f"{winner.name} is not measured on {run_date}, where {before['recipe']} was ({before['reason']}); "
            f"confirm it on a later night: recsys challenge {winner.name} --date NIGHT"
        )
    if decision_log.recipe_in_force(run_date, settings) == winner.name:
        return f"{winner.name} is in force on {run_date} already"
    verdicts = challenge([winner.name], run_date, settings)
    return next(one.reason for one in verdicts if one.challenger.fit.recipe.name == winner.name)


def _looked(name: str, run_date: date) -> Row | None:
    """The last challenge on this night by what a search of the same recipe found."""
    since = run_date + timedelta(days=1)
    rows = [row for row in decision_log.everything() if row["kind"] == "challenge" and row["effective_date"] == since]
    same = [row for row in rows if is_tuned(row["recipe"]) and root(row["recipe"]) == root(name)]
    return same[-1] if same else None
