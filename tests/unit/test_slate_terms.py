"""The terms of a place as JSON for the pages: groups that sum to the score."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from recsys_jobs.commands.why.slate_terms import groups
from recsys_jobs.commands.why.trace import Part
from recsys_jobs.ranking.model import ModalityTerms

NOTHING: dict[str, Any] = {"modalities": None, "parts": None, "events": None, "recent_popularity": None}


def _sums(split: dict[str, Any]) -> list[tuple[str, float, float]]:
    found = groups(NOTHING | split)
    return [(group["name"], group["total"], sum(term[2] for term in group["terms"])) for group in found]


def test_a_score_that_does_not_split_has_no_groups() -> None:
    assert groups(NOTHING) == []


def test_items_of_the_history_and_popularity_sum_to_the_score() -> None:
    [(_, total, terms)] = _sums({"events": {"a": 1.0, "b": -0.25}, "recent_popularity": 0.5})
    assert (total, terms) == (1.25, 1.25)


def test_of_many_items_the_largest_are_named_and_the_rest_is_one_term() -> None:
    [group] = groups(NOTHING | {"events": {f"i{n:02d}": float(n) for n in range(30)}})
    assert [term[1] for term in group["terms"][:2]] == ["i29", "i28"]
    assert group["terms"][-1] == ("other", "18 more", sum(range(18)))


def test_a_part_of_a_blend_has_its_constant() -> None:
    [(name, total, terms)] = _sums({"parts": {"knn": Part(2.0, {"a": 3.0}, None, -1.0)}})
    assert (name, total, terms) == ("knn", 2.0, 2.0)
    [(_, total, _)] = _sums({"parts": {"sequence": Part(2.0, None, None, 0.0)}})
    assert total == 2.0


def test_modalities_sum_to_the_score() -> None:
    across, alone = torch.tensor([[1.0, 2.0]]), torch.tensor([0.5, -0.5])
    [(_, total, terms)] = _sums({"modalities": ModalityTerms(["text"], ["text", "image"], across, alone)})
    assert total == pytest.approx(3.0)
    assert terms == pytest.approx(3.0)
