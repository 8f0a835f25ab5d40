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
    """Challenge with the winner on the night of `run_date`, unless it has confirmed before; return the outcome."""
    if earlier := _earlier_challenge(winner.name, run_date):
        if earlier["recipe"] == winner.name:
            return f"measured before, and not again: {earlier['reason']}"
        return (
            f"{winner.name} is not measured on {run_date}, where {earlier['recipe']} was ({earlier['reason']}); "
            f"confirm it on a later night: recsys challenge {winner.name} --date NIGHT"
        )
    if decision_log.recipe_in_force(run_date, settings) == winner.name:
        return f"{winner.name} is in force on {run_date} already"
    verdicts = challenge([winner.name], run_date, settings)
    return next(verdict.reason for verdict in verdicts if verdict.challenger.fit.recipe.name == winner.name)


def _earlier_challenge(name: str, run_date: date) -> Row | None:
    """Return the last challenge on this night by what a search of the same recipe found."""
    next_day = run_date + timedelta(days=1)
    challenges = [
        row for row in decision_log.all_rows() if row["kind"] == "challenge" and row["effective_date"] == next_day
    ]
    of_recipe = [row for row in challenges if is_tuned(row["recipe"]) and root(row["recipe"]) == root(name)]
    return of_recipe[-1] if of_recipe else None
