"""Who is best on the ranking window: every pair of recipes by the same users, Holm's correction over all pairs.

All pairs, and not the best against the rest alone: who is best is seen in the same data, so each pair could have been
the one that is told of. Where no difference is shown, that is the result. Pure. U examined users, N pairs.
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
    """The entrants, best mean first, every pair of them, who is nominated (nobody: None), and the reason."""

    entrants: list[Entrant]
    pairs: list[Pair]
    nominated: str | None
    reason: str


def rank(entrants: Sequence[Entrant], in_force: str, settings: Settings) -> Ranking:
    """Rank the entrants, `in_force` among them, and nominate the best one that is ahead of it beyond doubt."""
    best_first = sorted(entrants, key=lambda one: (-mean_ndcg(one, settings), one.fit.recipe.name))
    pairs = compare(best_first, settings)
    nominated, reason = _nominate(best_first, pairs, in_force, settings)
    return Ranking(best_first, pairs, nominated, reason)


def mean_ndcg(one: Entrant, settings: Settings) -> float:
    """Mean NDCG at the published K; 0 over nobody."""
    values_U = one.result.per_user("ndcg", settings.k)
    return float(values_U.mean()) if len(values_U) else 0.0


def holm(p_N: Sequence[float], alpha: float = ALPHA) -> list[tuple[float, bool]]:
    """Holm's step-down test (Holm 1979): for each p its turn's level alpha / (N - turn), and whether it passes.

    The smallest has the first turn; nobody passes after one that failed. The order of `p_N` is kept.
    """
    order = sorted(range(len(p_N)), key=lambda place: p_N[place])
    found, passing = {}, True
    for turn, place in enumerate(order):
        level = alpha / (len(order) - turn)
        passing = passing and p_N[place] < level
        found[place] = (level, passing)
    return [found[place] for place in range(len(p_N))]


def compare(best_first: Sequence[Entrant], settings: Settings) -> list[Pair]:
    """Every pair, the larger mean as `ahead`, in the order of the entrants."""
    both = list(combinations(best_first, 2))
    tested = holm(p_N := [p_value(one.result, other.result, settings) for one, other in both])
    pairs = []
    for (one, other), p, (alpha, passes) in zip(both, p_N, tested, strict=True):
        difference = ndcg_difference(one.result, other.result, settings, 1 - alpha)
        names = (one.fit.recipe.name, other.fit.recipe.name)
        enough = difference.users >= settings.min_users
        pairs.append(Pair(*names, p, difference, 1 - alpha, passes and enough and difference.low > 0))
    return pairs


def between(pairs: Iterable[Pair], one: str, other: str) -> Pair:
    """The pair of these two, whoever is ahead."""
    return next(pair for pair in pairs if {pair.ahead, pair.behind} == {one, other})


def _nominate(
    best_first: Sequence[Entrant], pairs: Sequence[Pair], in_force: str, settings: Settings
) -> tuple[str | None, str]:
    users = len(best_first[0].result.user_U)
    if users < settings.min_users:
        return None, f"undecided: {users} users are too few to rank by ({settings.min_users} needed)"
    ahead = [pair.ahead for pair in pairs if pair.behind == in_force and pair.shown]
    servable = {one.fit.recipe.name for one in best_first if one.servable}
    for name in ahead:  # in the order of the entrants, best first
        if name in servable:
            return name, f"{name} is nominated: {told(between(pairs, name, in_force))}{_beside(name, pairs)}"
    if ahead:
        return None, f"nobody is nominated: {', '.join(ahead)} is ahead of {in_force}, but cannot be published"
    return None, f"no difference shown: nobody is ahead of {in_force} beyond doubt"


def _beside(name: str, pairs: Iterable[Pair]) -> str:
    level = [f"{p.behind if p.ahead == name else p.ahead}" for p in pairs if name in p[:2] and not p.shown]
    return f"; no difference shown from {', '.join(level)}" if level else ""


def told(pair: Pair) -> str:
    """The pair in one phrase."""
    value, low, high, users = (getattr(pair.difference, name) for name in ("value", "low", "high", "users"))
    return f"{value:+.4f} [{low:+.4f}, {high:+.4f}] against {pair.behind} at {pair.level:.2%} on {users} users"
