"""The ablation's changes, and that a row of it can be measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from proofs.ablation import VARIATIONS, identifiers_alone, measure_row, without_terms
from recsys_jobs.data.holdout import Holdout
from recsys_jobs.exam.datasets import EvaluationDatasets
from recsys_jobs.models.sage_softmax.recipe import sage_fm_softmax
from tests.unit.worlds import with_everything, without_validation

pytestmark = pytest.mark.usefixtures("one_thread")


def test_contents_are_taken_away_and_nothing_else() -> None:
    data = replace(with_everything(), term_item_P=np.array([0, 1]), term_P=np.array([7, 7]))
    assert (len(without_terms(data).term_P), len(without_terms(data).term_item_P)) == (0, 0)
    assert without_terms(data).text_present_I.any()
    assert not identifiers_alone(data).text_present_I.any()
    assert np.array_equal(identifiers_alone(data).event_item_E, data.event_item_E)


@pytest.mark.parametrize("name", ["sage_fm_softmax", "no graph (0 layers)", "identifiers alone"])
def test_a_row_is_measured_on_validation(name: str) -> None:
    data = with_everything()
    past, held = without_validation(data), data.validation_E
    datasets = EvaluationDatasets(
        data, past, past, Holdout(data.event_user_E[held], data.event_item_E[held]), None, "train"
    )
    fields, change = VARIATIONS[name]
    recipe = replace(sage_fm_softmax(), **{"width": 8, "min_batch": 8, "max_epochs": 2, **fields})
    recall, ndcg, epochs, _ = measure_row(datasets.map_datasets(change), recipe, seed=0).split()
    assert 0 < float(recall) <= 1 and 0 < float(ndcg) <= 1 and epochs in ("1", "2")
