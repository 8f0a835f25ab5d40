"""What is registered of a model answers as the model ranks, with nothing but its own file beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file, save_file

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.models import families
from recsys_jobs.models.closed_form.recipe import ease_text, item_knn, user_knn
from recsys_jobs.models.recent.recipe import item_knn_recent
from recsys_jobs.models.servable_terms import terms
from recsys_jobs.operations.erasure.models import _without_row
from recsys_jobs.ranking.model import Factors, Model
from recsys_jobs.ranking.top_k import top_k
from recsys_jobs.registry.pyfunc_model import Recommender
from recsys_jobs.registry.register import write_model
from recsys_jobs.training.recipe import Recipe
from tests.unit.test_blend import TRAINED, blend_of
from tests.unit.test_recency import shop
from tests.unit.worlds import with_everything

pytestmark = pytest.mark.usefixtures("one_thread")

BLEND = blend_of((0.2, ease_text()), (0.5, TRAINED), (0.3, item_knn()))


def fitted(recipe: Recipe) -> Model:
    return families.fit(with_everything(), recipe, seed=0).model


@pytest.mark.parametrize("recipe", [TRAINED, ease_text(), BLEND], ids=lambda recipe: recipe.name)
def test_the_registered_model_gives_the_slates_of_the_model(recipe: Recipe, tmp_path: Path) -> None:
    data, model = with_everything(), fitted(recipe)
    write_model(tmp_path, model, data)
    served = Recommender()
    served.load_context(SimpleNamespace(artifacts={"model": str(tmp_path)}))
    answer = served.predict(None, pd.DataFrame({"user_id": [*data.users, "a stranger"]}), {"k": 5})
    slates = [slate for block in top_k(model, data, 5) for slate in zip(block.user_B, block.item_BK, strict=True)]
    wanted = [(data.users[user], data.items[item]) for user, item_K in slates for item in item_K if item >= 0]
    assert list(zip(answer["user_id"], answer["item_id"], strict=True)) == wanted
    assert answer["rank"].between(1, 5).all() and np.isfinite(answer["score"]).all()


def test_what_knows_the_date_answers_alike_when_registered_and_when_somebody_is_forgotten(tmp_path: Path) -> None:
    """Fading histories and the prior go along; with a person's go their shares, and the others' stay theirs."""
    data = shop()
    model = families.fit(data, replace(item_knn_recent(), window_users=8, window_share=0.5), seed=0).model
    write_model(tmp_path, model, data)

    def answers() -> dict[str, list[tuple[str, float]]]:
        served = Recommender()
        served.load_context(SimpleNamespace(artifacts={"model": str(tmp_path)}))
        rows = served.predict(None, pd.DataFrame({"user_id": data.users}), {"k": 5})
        return {
            user: list(zip(of["item_id"], of["score"].round(5), strict=True)) for user, of in rows.groupby("user_id")
        }

    blocks = top_k(model, data, 5)
    slates = {data.users[u]: row for block in blocks for u, row in zip(block.user_B, block.item_BK, strict=True)}
    before = answers()
    assert {user: [item for item, _ in slate] for user, slate in before.items()} == {
        user: [data.items[item] for item in row if item >= 0] for user, row in slates.items()
    }
    gone = data.users[3]
    ids = json.loads((tmp_path / "ids.json").read_text())
    (tmp_path / "ids.json").write_text(json.dumps(ids | {"users": [user for user in ids["users"] if user != gone]}))
    save_file(_without_row(load_file(tmp_path / "model.safetensors"), 3), tmp_path / "model.safetensors")
    assert answers() == {user: slate for user, slate in before.items() if user != gone}


def test_a_blend_has_a_term_a_part_and_one_model_has_one() -> None:
    forms = [(term.weight, isinstance(term.form, Factors)) for term in terms(fitted(BLEND))]
    assert forms == [(0.2, False), (0.5, True), (0.3, False)]
    assert [term.weight for term in terms(fitted(TRAINED))] == [1.0]


def test_what_remembers_people_is_not_registered(tmp_path: Path) -> None:
    """Of user-kNN everybody's slates hang on everybody's events."""
    model = fitted(blend_of((0.5, user_knn()), (0.5, TRAINED)))
    assert terms(model) == []
    with pytest.raises(JobError, match="cannot be registered"):
        write_model(tmp_path, model, with_everything())
    assert not list(tmp_path.iterdir())
