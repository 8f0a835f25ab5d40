"""Drift: how far a night's slates are from those of the night before, and whether that is too far. U users."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import duckdb
import numpy as np
from numpy.typing import NDArray

from recsys_jobs.contracts.settings import Settings

_OVERLAP = """
    WITH now AS (SELECT user_id, item_id FROM recommendations WHERE run_date = $night),
    had AS (SELECT user_id, item_id FROM interactions WHERE as_of = $night),
    before AS (
        SELECT user_id, item_id FROM recommendations WHERE run_date = $before
        AND user_id IN (SELECT user_id FROM now)
    )
    SELECT user_id, avg((now.item_id IS NOT NULL)::INT) AS again
    FROM before ANTI JOIN had USING (user_id, item_id) LEFT JOIN now USING (user_id, item_id)
    GROUP BY user_id ORDER BY user_id
"""
_SCORES = "SELECT score FROM recommendations WHERE run_date = $night ORDER BY score"
_MODELS = "SELECT DISTINCT model_name FROM recommendations WHERE run_date = $night ORDER BY 1"

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Drift:
    """A night against the one before. `overlap_U` has a value for each person of both nights.

    A value is the share of last night's places that are shown again; items the person has had since do not
    count. `score_distance` is Kolmogorov and Smirnov's, between 0 and 1, of all the published scores; None where
    the two nights published different models, whose scores have different scales.
    """

    before: date
    overlap_U: Values
    score_distance: float | None
    scores: Values
    scores_before: Values

    @property
    def overlap(self) -> float | None:
        """The mean over people; None where nobody is in both nights."""
        return float(self.overlap_U.mean()) if len(self.overlap_U) else None

    def alerts(self, settings: Settings) -> list[str]:
        """One sentence for each bound that was passed."""
        sentences = []
        if self.overlap is not None and self.overlap < settings.min_night_overlap:
            sentences.append(
                f"only {self.overlap:.1%} of the places of {self.before} are shown again, "
                f"less than min_night_overlap = {settings.min_night_overlap:.0%}"
            )
        if self.score_distance is not None and self.score_distance > settings.max_score_drift:
            sentences.append(
                f"the scores are {self.score_distance:.2f} from those of {self.before} (Kolmogorov-Smirnov), "
                f"more than max_score_drift = {settings.max_score_drift}"
            )
        return sentences


def drift(connection: duckdb.DuckDBPyConnection, nights: list[date]) -> Drift | None:
    """The last of `nights` against the one before; None for a first night."""
    if len(nights) < 2:
        return None
    before, night = nights[-2:]
    overlap = connection.execute(_OVERLAP, {"night": night, "before": before}).fetchnumpy()["again"]
    scores, scores_before = _sorted_scores(connection, night), _sorted_scores(connection, before)
    same_models = _models(connection, night) == _models(connection, before)
    distance = smirnov_distance(scores, scores_before) if same_models else None
    return Drift(before, np.asarray(overlap, np.float64), distance, scores, scores_before)


def _models(connection: duckdb.DuckDBPyConnection, night: date) -> list[tuple[str]]:
    return connection.execute(_MODELS, {"night": night}).fetchall()


def _sorted_scores(connection: duckdb.DuckDBPyConnection, night: date) -> Values:
    columns = connection.execute(_SCORES, {"night": night}).fetchnumpy()
    return np.asarray(columns["score"], np.float64)


def smirnov_distance(first: Values, second: Values) -> float:
    """The largest gap between the distribution functions of two sorted samples (Smirnov 1948); 1 for an empty one."""
    if not len(first) or not len(second):
        return 1.0
    points = np.concatenate([first, second])
    first_cdf = np.searchsorted(first, points, side="right") / len(first)
    second_cdf = np.searchsorted(second, points, side="right") / len(second)
    return float(np.abs(first_cdf - second_cdf).max())
