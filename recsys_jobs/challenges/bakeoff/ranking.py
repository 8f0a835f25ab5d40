"""Ranks the recipes on the ranking window: every pair on the same users, Holm's correction over all pairs.

All pairs, and not the best against the rest alone: the same data shows which is best, so each pair could have been
the one that is reported. Where no difference is shown, that is the result. Pure. U evaluated users, N pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

from recsys_jobs.challenges.bakeoff.entrants import Entrant
from recsys_jobs.challenges.challenge import p_value
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.promotion.gate import Difference
from recsys_jobs.promotion.measure import ndcg_difference

ALPHA = 0.05  # for all the pairs together


class Pair(NamedTuple):
    """Two recipes on the same users: `ahead` has the larger mean, `shown` says whether beyond doubt."""

    ahead: str
    behind: str
    p: float
    difference: Difference  # ahead - behind, NDCG at the published K; the interval has the level that Holm asks for
    level: float
    shown: bool


class Ranking(NamedTuple):
    """The entrants, best mean first, every pair of them, the nominated recipe (or None), and the reason."""

    entrants: list[Entrant]
    pairs: list[Pair]
    nominated: str | None
    reason: str


def rank(entrants: Sequence[Entrant], in_force: str, settings: Settings) -> Ranking:
    """Rank the entrants, `in_force` among them, and nominate the best one that is ahead of it beyond doubt."""
    best_first = sorted(entrants, key=lambda entrant: (-mean_ndcg(entrant, settings), entrant.fit.recipe.name))
    pairs = compare(best_first, settings)
    nominated, reason = _nominate(best_first, pairs, in_force, settings)
    return Ranking(best_first, pairs, nominated, reason)


def mean_ndcg(entrant: Entrant, settings: Settings) -> float:
    """Mean NDCG at the published K; 0 over no users."""
    values_U = entrant.result.per_user("ndcg", settings.k)
    return float(values_U.mean()) if len(values_U) else 0.0


def holm(p_N: Sequence[float], alpha: float = ALPHA) -> list[tuple[float, bool]]:
    """Holm's step-down test (Holm 1979): for each p its turn's level alpha / (N - turn), and whether it passes.

    The smallest has the first turn; nobody passes after one that failed. The order of `p_N` is kept.
    """
    order_N = sorted(range(len(p_N)), key=lambda pair: p_N[pair])
    outcomes, passing = {}, True
    for turn, pair in enumerate(order_N):
        level = alpha / (len(order_N) - turn)
        passing = passing and p_N[pair] < level
        outcomes[pair] = (level, passing)
    return [outcomes[pair] for pair in range(len(p_N))]


def compare(best_first: Sequence[Entrant], settings: Settings) -> list[Pair]:
    """Every pair, the larger mean as `ahead`, in the order of the entrants."""
    entrant_pairs = list(combinations(best_first, 2))
    p_N = [p_value(ahead.result, behind.result, settings) for ahead, behind in entrant_pairs]
    pairs = []
    for (ahead, behind), p, (alpha, passes) in zip(entrant_pairs, p_N, holm(p_N), strict=True):
        difference = ndcg_difference(ahead.result, behind.result, settings, 1 - alpha)
        shown = passes and difference.users >= settings.min_users and difference.low > 0
        names = (ahead.fit.recipe.name, behind.fit.recipe.name)
        pairs.append(Pair(*names, p, difference, 1 - alpha, shown))
    return pairs


def find_pair(pairs: Iterable[Pair], first: str, second: str) -> Pair:
    """The pair of these two recipes, whichever is ahead."""
    return next(pair for pair in pairs if {pair.ahead, pair.behind} == {first, second})


def _nominate(
    best_first: Sequence[Entrant], pairs: Sequence[Pair], in_force: str, settings: Settings
) -> tuple[str | None, str]:
    users = len(best_first[0].result.user_U)
    if users < settings.min_users:
        return None, f"undecided: {users} users are too few to rank by ({settings.min_users} needed)"
    ahead = [pair.ahead for pair in pairs if pair.behind == in_force and pair.shown]
    servable = {entrant.fit.recipe.name for entrant in best_first if entrant.servable}
    for name in ahead:  # in the order of the entrants, best first
        if name in servable:
            lead = pair_text(find_pair(pairs, name, in_force))
            return name, f"{name} is nominated: {lead}{_ties_text(name, pairs)}"
    if ahead:
        return None, f"nobody is nominated: {', '.join(ahead)} is ahead of {in_force}, but cannot be published"
    return None, f"no difference shown: nobody is ahead of {in_force} beyond doubt"


def _ties_text(name: str, pairs: Iterable[Pair]) -> str:
    """The recipes from which `name` shows no difference, as the end of a sentence."""
    ties = [pair for pair in pairs if name in (pair.ahead, pair.behind) and not pair.shown]
    others = [pair.behind if pair.ahead == name else pair.ahead for pair in ties]
    return f"; no difference shown from {', '.join(others)}" if others else ""


def pair_text(pair: Pair) -> str:
    """The pair in one phrase."""
    difference = pair.difference
    interval = f"[{difference.low:+.4f}, {difference.high:+.4f}]"
    opponent = f"{pair.behind} at {pair.level:.2%} on {difference.users} users"
    return f"{difference.value:+.4f} {interval} against {opponent}"
