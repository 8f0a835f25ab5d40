"""The serving fit must show people what the exam fit showed them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.ranking.model import Factors
from recsys_jobs.ranking.slate_overlap import require_overlap, slate_overlap
from tests.unit.worlds import dataset


class Scores:
    """A model that is a table of scores, a row a user."""

    def __init__(self, rows: list[list[float]]) -> None:
        self.score_UI = torch.tensor(rows)

    def score_block(self, user_B: torch.Tensor) -> torch.Tensor:
        return self.score_UI[user_B]

    def factors(self) -> Factors | None:
        return None

    def item_vectors(self) -> torch.Tensor | None:
        return None

    def weights(self) -> dict[str, torch.Tensor]:
        return {}


THEN = dataset([(0, 0), (1, 1)], users=2, items=4)
NOW = dataset([(0, 0), (1, 1), (2, 3)], users=3, items=5)  # u00002 and i00004 are new
EXAM = Scores([[0, 9, 8, 1], [9, 0, 8, 1]])  # the best two: i1 i2 for u0, i0 i2 for u1


def test_the_same_slates_overlap_wholly_whoever_is_new() -> None:
    serving = Scores([[0, 9, 8, 1, 0], [9, 0, 8, 1, 0], [1, 1, 1, 1, 1]])
    assert slate_overlap(EXAM, THEN, serving, NOW, k=2) == 1.0


def test_a_place_that_went_to_another_item_is_lost() -> None:
    serving = Scores([[0, 9, 1, 1, 8], [9, 0, 8, 1, 0], [1, 1, 1, 1, 1]])  # u0 gets the new item for i2
    assert slate_overlap(EXAM, THEN, serving, NOW, k=2) == 0.75


def test_what_somebody_had_since_does_not_count() -> None:
    bought = dataset([(0, 0), (1, 1), (0, 1)], users=3, items=5)
    serving = Scores([[0, 9, 8, 1, 7], [9, 0, 8, 1, 0], [1, 1, 1, 1, 1]])  # u0 owns i1 now: i2, i4
    assert slate_overlap(EXAM, THEN, serving, bought, k=2) == 1.0


def test_users_are_found_by_id_not_by_row() -> None:
    earlier: Dataset = dataset([(0, 0)], users=1, items=4)
    object.__setattr__(earlier, "users", ["u00001"])
    serving = Scores([[1, 9, 8, 0, 0], [0, 1, 8, 9, 0], [1, 1, 1, 1, 1]])
    now = dataset([(1, 0)], users=3, items=5)
    assert slate_overlap(Scores([[0, 0, 8, 9]]), earlier, serving, now, k=2) == 1.0


def test_a_fit_that_went_astray_is_refused_with_both_figures() -> None:
    serving = Scores([[0, 1, 1, 9, 8], [1, 0, 1, 9, 8], [1, 1, 1, 1, 1]])
    with pytest.raises(JobError, match=r"shows 0\.0% of what the exam fit shows .* min_overlap = 5%"):
        require_overlap(EXAM, THEN, serving, NOW, k=2, least=0.05)


def test_nobody_to_compare_is_no_reason_to_refuse() -> None:
    nobody = dataset([], users=0, items=4)
    model = Scores(np.zeros((0, 4)).tolist())
    assert slate_overlap(model, nobody, Scores([[1.0] * 5] * 3), NOW, k=2) == 1.0
