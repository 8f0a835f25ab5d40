"""A blend: what its sum is, what its parts may see, and that it survives being kept."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.data.without_events import without_events
from recsys_jobs.models import families
from recsys_jobs.models.blend.learner import BlendModel, standardised
from recsys_jobs.models.blend.recipe import BlendRecipe
from recsys_jobs.models.closed_form.recipe import ease_text, item_knn, popularity
from recsys_jobs.models.lightgcn.recipe import bpr_mf
from recsys_jobs.models.recent.recipe import item_knn_recent
from recsys_jobs.models.recipes import RECIPES, restored
from recsys_jobs.models.sage_fm.recipe import sage_fm
from recsys_jobs.training import checkpoints
from recsys_jobs.training.epochs import format_epochs, parse_epochs
from recsys_jobs.training.recipe import Recipe, is_iterative
from tests.unit.worlds import with_everything, without_validation

pytestmark = pytest.mark.usefixtures("one_thread")

TRAINED = replace(bpr_mf(), width=4, max_epochs=2, min_batch=16)
USERS = torch.arange(30)


def blend_of(*parts: tuple[float, Recipe]) -> BlendRecipe:
    return BlendRecipe(name="some_blend", family="blend", parts=parts)


def test_scores_of_a_user_have_mean_0_and_deviation_1_and_equal_ones_are_0() -> None:
    scores = torch.tensor([[1.0, 3.0, 1.0, 3.0], [5.0, 5.0, 5.0, 5.0]])
    assert standardised(scores).tolist() == [[-1.0, 1.0, -1.0, 1.0], [0.0, 0.0, 0.0, 0.0]]


def test_a_blend_is_the_weighted_sum_of_its_parts() -> None:
    data = with_everything()
    both = families.fit(data, blend_of((0.25, ease_text()), (0.75, TRAINED)), seed=0)
    past = without_events(data, data.validation_E)
    ease = families.load(families.fit(past, ease_text(), seed=0).model.weights(), data, ease_text())
    trained = families.fit(data, TRAINED, seed=0)
    wanted = 0.25 * standardised(ease.score_block(USERS)) + 0.75 * standardised(trained.model.score_block(USERS))
    assert torch.allclose(both.model.score_block(USERS), wanted, atol=1e-6)
    assert (both.epochs, len(both.history)) == (trained.epochs, 2)


def test_closed_forms_learn_from_validation_events_only_where_all_is_fitted() -> None:
    data = with_everything()
    recipe = blend_of((0.5, item_knn()), (0.5, TRAINED))
    for epochs, seen in ((None, without_events(data, data.validation_E)), (2, data)):
        kept = families.fit(data, recipe, seed=0, epochs=epochs).model.weights()
        alone = families.fit(seen, item_knn(), seed=0).model.weights()
        assert all(torch.equal(kept[f"0.{name}"], value) for name, value in alone.items())


def test_a_kept_blend_scores_as_before() -> None:
    data = with_everything()
    recipe = blend_of((0.6, ease_text()), (0.4, TRAINED))
    fitted = families.fit(data, recipe, seed=0, epochs=2).model
    loaded = families.load(fitted.weights(), data, recipe)
    assert torch.equal(loaded.score_block(USERS), fitted.score_block(USERS))
    assert isinstance(loaded, BlendModel)
    assert loaded.epochs == 2


def test_the_heaviest_part_that_compares_items_says_which_are_alike() -> None:
    data = with_everything()
    model = families.fit(data, blend_of((0.7, popularity()), (0.3, item_knn())), seed=0).model
    assert isinstance(model, BlendModel)
    items = torch.arange(5)
    knn = families.fit(without_validation(data), item_knn(), seed=0).model  # an exam fit's closed forms see no more
    assert torch.equal(model.similar_block(items), knn.similar_block(items))  # type: ignore[attr-defined]


def test_each_part_that_trains_stops_by_itself() -> None:
    data = with_everything()
    longer = replace(TRAINED, learning_rate=2e-2, max_epochs=3)
    both = families.fit(data, blend_of((0.4, TRAINED), (0.6, longer)), seed=0)
    alone = [families.fit(data, part, seed=0) for part in (TRAINED, longer)]
    wanted = sum(
        weight * standardised(one.model.score_block(USERS)) for weight, one in zip((0.4, 0.6), alone, strict=True)
    )
    assert torch.allclose(both.model.score_block(USERS), torch.as_tensor(wanted), atol=1e-6)
    assert both.epochs == (alone[0].epochs, alone[1].epochs)
    assert len(both.history) == 3  # the heaviest's


def test_a_serving_fit_takes_each_part_as_far_as_its_exam_fit_went() -> None:
    data = with_everything()
    recipe = blend_of((0.4, TRAINED), (0.2, item_knn()), (0.4, replace(TRAINED, learning_rate=2e-2)))
    served = families.fit(data, recipe, seed=0, epochs=(1, 2)).model
    alone = families.fit(data, recipe.parts[2][1], seed=0, epochs=2).model.weights()
    kept = served.weights()
    assert all(torch.equal(kept[f"2.{name}"], value) for name, value in alone.items())
    assert isinstance(loaded := families.load(kept, data, recipe), BlendModel)
    assert loaded.epochs == (1, 2)
    assert parse_epochs(format_epochs(loaded.epochs)) == loaded.epochs
    assert families.fit(data, recipe, seed=0, epochs=2).epochs == (2, 2)


def test_epochs_of_other_parts_are_refused() -> None:
    with pytest.raises(UsageError, match="3 numbers of epochs for the 2 parts"):
        families.fit(with_everything(), blend_of((0.5, TRAINED), (0.5, TRAINED)), seed=0, epochs=(1, 2, 3))


def test_a_blend_that_was_killed_goes_on_with_each_of_its_parts(tmp_path: Path) -> None:
    data, checkpoint = with_everything(), tmp_path / "state"
    recipe = blend_of((0.5, TRAINED), (0.5, replace(TRAINED, learning_rate=2e-2)))
    whole = families.fit(data, recipe, seed=0).model.score_block(USERS)
    told: list[float] = []

    def killed(entry: dict[str, float]) -> None:
        told.append(entry["epoch"])
        if len(told) == 3:  # the second part's first epoch
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        families.fit(data, recipe, seed=0, checkpoint=checkpoint, on_epoch=killed)
    told.clear()
    after = families.fit(
        data, recipe, seed=0, checkpoint=checkpoint, on_epoch=lambda entry: told.append(entry["epoch"])
    )
    assert told == [2]
    assert torch.equal(after.model.score_block(USERS), whole)
    checkpoints.remove(checkpoint)
    assert not list(tmp_path.iterdir())


def test_a_blend_rests_on_the_sources_of_its_parts() -> None:
    modules = families.source_modules(blend_of((0.5, ease_text()), (0.5, TRAINED)))
    assert modules == (
        "recsys_jobs.models.blend.learner",
        "recsys_jobs.models.closed_form.ease_text",
        "recsys_jobs.models.lightgcn.learner",
    )
    assert is_iterative(blend_of((0.5, ease_text()), (0.5, TRAINED)))
    assert not is_iterative(blend_of((0.5, ease_text()), (0.5, item_knn())))


def test_a_blend_comes_back_as_its_fit_logged_it() -> None:
    """Lists of JSON become tuples again, and what the parts' names mean may have changed since."""
    then = blend_of((0.3, replace(ease_text(), ridge=7.0)), (0.7, replace(bpr_mf(), width=4)))
    logged = {"name": "ease_sage", "family": "blend", "parts": json.dumps(asdict(then)["parts"])}
    assert restored("ease_sage", logged) == replace(then, name="ease_sage")


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_comes_back_as_its_fit_logged_it(name: str) -> None:
    """EventSplit of parts too: a blend of neighbours in time has them."""
    now = RECIPES[name]()
    logged = {key: json.dumps(value) if isinstance(value, tuple) else str(value) for key, value in asdict(now).items()}
    assert restored(name, logged) == now


def test_what_a_recipe_learned_to_do_since_is_off_in_a_fit_of_before() -> None:
    """A fit that logged nothing of a field was made without it, alone or as a part."""
    values = {key: value for key, value in asdict(sage_fm()).items() if key not in ("unit_parts", "centred")}
    logged = {key: str(value) for key, value in values.items()}
    assert sage_fm().unit_parts
    assert restored("sage_fm", logged) == replace(sage_fm(), unit_parts=False, centred=False)
    parts = json.dumps([[0.3, asdict(ease_text())], [0.7, values]])
    blend = restored("ease_sage", {"name": "ease_sage", "family": "blend", "parts": parts})
    assert isinstance(blend, BlendRecipe)
    assert blend.parts[1] == (0.7, replace(sage_fm(), unit_parts=False, centred=False))


GONE = {
    "sage_fm": {"damped": False, "held_out": 0.0},
    "lightgcn": {"loss": "bpr", "negatives": 1_024},
    "bpr_mf": {"loss": "bpr", "negatives": 1_024},
    "attention_contrastive": {"loss": "bpr"},
    "attention_towers": {"loss": "softmax"},
}


@pytest.mark.parametrize("name", GONE)
def test_a_fit_of_before_may_have_logged_what_recipes_no_longer_have(name: str) -> None:
    """Alone, or as a part of a blend."""
    now = RECIPES[name]()
    values = asdict(now) | GONE[name]
    assert restored(name, {key: str(value) for key, value in values.items()}) == now
    parts = json.dumps([[0.3, asdict(ease_text())], [0.7, values]])
    blend = restored("ease_lightgcn", {"name": "ease_lightgcn", "family": "blend", "parts": parts})
    assert isinstance(blend, BlendRecipe)
    assert blend.parts[1] == (0.7, now)


def test_a_part_that_splits_tells_its_history_and_what_is_popular_of_late() -> None:
    data = with_everything()
    model = families.fit(data, blend_of((0.25, item_knn_recent()), (0.75, TRAINED)), seed=0).model
    assert isinstance(model, BlendModel)
    user = int(data.event_user_E[0])
    score_I = model.score_block(torch.tensor([user]))[0]
    for item in range(len(data.items)):
        in_time, trained = model.part_terms(user, item)
        assert in_time.total + trained.total == pytest.approx(float(score_I[item]), abs=1e-5)
        assert (trained.history, trained.of_late, trained.rest) == (None, None, trained.total)
        assert in_time.history is not None and in_time.of_late is not None
        assert sum(in_time.history.values()) + in_time.of_late + in_time.rest == pytest.approx(in_time.total)
    rests = {round(model.part_terms(user, item)[0].rest, 5) for item in range(len(data.items))}
    assert len(rests) == 1  # a mean of this person's scores, whatever the item
