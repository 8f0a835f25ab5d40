"""A search that can be killed, and what it may vary; what a trial is worth; recipes that a search found."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.models import families
from recsys_jobs.models.blend.recipe import BlendRecipe
from recsys_jobs.models.closed_form.recipe import EaseTextRecipe, ease_text
from recsys_jobs.models.lightgcn.recipe import lightgcn
from recsys_jobs.models.recent.recipe import item_knn_recent
from recsys_jobs.models.recipes import RECIPES, get_recipe, restored
from recsys_jobs.models.tuned_recipes import keep, place, root
from recsys_jobs.training.recipe import Recipe
from recsys_jobs.tuning import record
from recsys_jobs.tuning.objective import ValidationScore, validation_score
from recsys_jobs.tuning.options import TuneOptions
from recsys_jobs.tuning.search import Budget, best_trial, finished_trials, open_study, run_trials
from recsys_jobs.tuning.space import own_values, search_space, with_values
from recsys_jobs.tuning.tune import as_code, tune
from tests.unit.worlds import two_tastes

pytestmark = pytest.mark.usefixtures("one_thread")

YARDSTICK = {"validation_users", "validation_k", "stop_by", "windows", "window_users", "window_share"}
SEARCHED = [name for name, make in RECIPES.items() if search_space(make())]
DAYS = {"time_E": np.repeat(np.arange(6) * 86_400 * 7, 80).astype(np.int64)}  # two_tastes: an event a week each


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECSYS_VAR", str(tmp_path))
    monkeypatch.setenv("RECSYS_LAKE", str(tmp_path / "lake"))
    return tmp_path


class Fits:
    """A stand-in for fits of EASE: best at a ridge of 200; it dies at the fit of a number, if one is named."""

    def __init__(self, dies_at: int | None = None) -> None:
        self.seen: list[EaseTextRecipe] = []
        self.dies_at = dies_at

    def __call__(self, tried: Recipe) -> ValidationScore:
        assert isinstance(tried, EaseTextRecipe)
        self.seen.append(tried)
        if len(self.seen) == self.dies_at:
            raise KeyboardInterrupt
        return ValidationScore(1 - abs(np.log(tried.ridge / 200)))


def searched(name: str, fits: Any, trials: int = 6, seed: int = 0) -> Study:
    study = open_study(name)
    run_trials(study, ease_text(), fits, seed, Budget(60, trials), lambda trial: None)
    return study


def told(study: Study) -> list[tuple[dict[str, Any], float | None]]:
    return [(trial.params, trial.value) for trial in finished_trials(study)]


def test_a_recipe_has_something_to_search_or_is_known_to_have_nothing() -> None:
    blends = {name for name, make in RECIPES.items() if isinstance(make(), BlendRecipe)}
    assert set(RECIPES) - set(SEARCHED) == blends | {"popularity", "popularity_recent", "random"}


@pytest.mark.parametrize("name", SEARCHED)
def test_a_space_holds_the_recipes_own_values_and_nothing_that_it_is_measured_with(name: str) -> None:
    one = RECIPES[name]()
    own, limits = own_values(one), search_space(one)
    assert not YARDSTICK & {field.rpartition(".")[2] for field in limits}
    assert all(limits[field]._contains(limits[field].to_internal_repr(value)) for field, value in own.items())
    assert with_values(one, own) == one


def test_what_is_off_stays_off() -> None:
    assert "layers" not in search_space(get_recipe("bpr_mf")) and "layers" in search_space(get_recipe("lightgcn"))
    assert "text_power" not in search_space(get_recipe("ease"))
    assert "temperature" not in search_space(get_recipe("sage_fm_seed"))


def test_a_recipe_in_time_is_searched_with_its_parts() -> None:
    found = with_values(
        item_knn_recent(), own_values(item_knn_recent()) | {"item_cosine.neighbours": 7, "smoothing": 0.01}
    )
    assert (found.smoothing, found.parts[0][1].neighbours) == (0.01, 7)  # type: ignore[attr-defined]
    assert as_code(found) == "replace(item_knn_recent(), parts=((1.0, replace(item_cosine(), neighbours=7)),), " + (
        "smoothing=0.01)"
    )


def test_the_first_trial_is_the_recipe_itself_and_the_best_is_no_worse() -> None:
    fits = Fits()
    study = searched("a", fits, trials=15)
    assert fits.seen[0] == ease_text()
    assert len(set(fits.seen)) == 15
    assert (best_trial(study).value or 0) > finished_trials(study)[0].value
    limits = search_space(ease_text())
    for trial in finished_trials(study):
        assert all(limits[k]._contains(limits[k].to_internal_repr(v)) for k, v in trial.params.items())


def test_the_same_seed_tries_the_same_values_and_another_one_others() -> None:
    again = told(searched("a", Fits()))
    assert told(searched("b", Fits())) == again
    assert told(searched("c", Fits(), seed=1))[1:] != again[1:]


def test_a_search_that_was_killed_goes_on_to_where_it_would_have_come() -> None:
    """Past the sampler's ten random trials, so that what it has learned counts too."""
    whole = told(searched("whole", Fits(), trials=13))
    with pytest.raises(KeyboardInterrupt):
        searched("cut", Fits(dies_at=3), trials=13)
    with pytest.raises(KeyboardInterrupt):
        searched("cut", Fits(dies_at=10), trials=13)
    rest = Fits()
    study = searched("cut", rest, trials=13)
    assert len(rest.seen) == 13 - 2 - 9
    assert told(study) == whole
    failed = study.get_trials(states=(TrialState.FAIL,))
    assert [trial.number for trial in failed] == [2, 12]


def test_a_search_that_was_killed_in_its_first_trial_begins_with_the_recipe_again() -> None:
    with pytest.raises(KeyboardInterrupt):
        searched("a", Fits(dies_at=1))
    fits = Fits()
    searched("a", fits, trials=2)
    assert fits.seen[0] == ease_text() and len(fits.seen) == 2


def test_as_many_trials_as_asked_for_with_those_of_earlier_calls() -> None:
    searched("a", Fits(), trials=2)
    fits = Fits()
    searched("a", fits, trials=3)
    searched("a", fits, trials=3)
    assert len(fits.seen) == 1


def test_without_time_left_the_recipe_itself_is_tried_and_nothing_else() -> None:
    fits, study = Fits(), open_study("a")
    run_trials(study, ease_text(), fits, 0, Budget(1e-9), lambda trial: None)
    assert fits.seen == [ease_text()]


def test_a_variation_that_cannot_be_fitted_is_a_bad_trial_and_said_so() -> None:
    lines: list[str] = []
    study = open_study("a")

    def fits(tried: Recipe) -> ValidationScore:
        if tried != ease_text():
            raise JobError("the loss is not finite")
        return ValidationScore(0.5)

    def on_trial(trial: FrozenTrial) -> None:
        lines.append(record.trial_line(trial, study, ease_text()))

    run_trials(study, ease_text(), fits, 0, Budget(60, 3), on_trial)
    assert [trial.state for trial in finished_trials(study)] == [TrialState.COMPLETE, *[TrialState.PRUNED] * 2]
    assert lines[0].startswith("trial 0: validation 0.5000, ") and lines[0].endswith("the recipe as it stands")
    assert lines[1].startswith("trial 1: its fit failed (the loss is not finite), of ridge ")
    assert [row.split()[:2] for row in record.best_trials_table(study, ease_text())[1:]] == [["0.5000", "0"]]


def test_a_recipe_that_cannot_be_fitted_ends_the_search() -> None:
    def fits(tried: Recipe) -> ValidationScore:
        raise UsageError("no stars")

    with pytest.raises(UsageError, match="no stars"):
        searched("a", fits)


def test_a_trained_recipe_is_worth_what_early_stopping_kept() -> None:
    small = replace(lightgcn(), width=8, min_batch=32, steps_per_epoch=6, max_epochs=6, learning_rate=0.05)
    data = two_tastes()
    fitted = families.fit(data, small, seed=0)
    found = validation_score(data, small, 0)
    assert found == (max(entry["validation_ndcg"] for entry in fitted.history), fitted.epochs)


def test_a_closed_form_is_worth_what_it_finds_of_events_that_its_fit_never_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    data, seen = two_tastes(), []
    fit = families.fit

    def watched(dataset: Dataset, *arguments: Any, **options: Any) -> families.Fitted:
        seen.append(dataset)
        return fit(dataset, *arguments, **options)

    monkeypatch.setattr(families, "fit", watched)
    found = validation_score(data, ease_text(), 0)
    [asked] = seen
    assert len(asked.event_user_E) == (~data.validation_E).sum() and not asked.validation_E.any()
    assert 0.3 < found.ndcg < 1  # a user's taste has twenty items, fourteen of them new to her


def test_a_recipe_in_time_is_worth_what_it_learned_on_its_windows() -> None:
    data = replace(two_tastes(), **DAYS)
    assert (
        validation_score(data, item_knn_recent(), 0).ndcg
        == families.fit(data, item_knn_recent(), seed=0).model.validation
    )  # type: ignore[attr-defined]
    with pytest.raises(JobError, match="item_knn_recent found no window before the cut"):
        validation_score(two_tastes(), item_knn_recent(), 0)


def test_without_validation_events_there_is_nothing_to_search_by() -> None:
    data = two_tastes()
    with pytest.raises(JobError, match="nothing to search ease_text by"):
        validation_score(replace(data, validation_E=np.zeros_like(data.validation_E)), ease_text(), 0)


@pytest.mark.parametrize("name", SEARCHED)
def test_a_tuned_recipe_is_asked_for_by_its_name(name: str) -> None:
    one = RECIPES[name]()
    other = with_values(one, {field: _other(value) for field, value in own_values(one).items()})
    found = keep(other)
    assert found == replace(other, name=found.name) and root(found.name) == name
    assert get_recipe(found.name) == found
    assert keep(found) == found
    logged = {
        key: json.dumps(value) if isinstance(value, tuple) else str(value) for key, value in asdict(found).items()
    }
    assert restored(found.name, logged) == found


def _other(value: Any) -> Any:
    return value * 2 if isinstance(value, int) else value * 1.37 + 0.1


def test_a_tuned_recipe_that_was_changed_or_lost_is_refused() -> None:
    name = keep(replace(ease_text(), ridge=77.0)).name
    place(name).write_text(place(name).read_text().replace("77.0", "78.0"))
    with pytest.raises(UsageError, match="was changed since it was measured"):
        get_recipe(name)
    place(name).write_text("{")
    with pytest.raises(UsageError, match="cannot be read"):
        get_recipe(name)
    place(name).unlink()
    with pytest.raises(UsageError, match=f"unknown recipe '{name}': .* is not there.*recsys tune ease_text"):
        get_recipe(name)
    with pytest.raises(UsageError, match="unknown recipe '../ease_text-tuned-00000000'"):
        get_recipe("../ease_text-tuned-00000000")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("recent_sage", "one at a time: recsys tune multimodal_knn_recent or sage_fm_recent"),
        ("popularity", "popularity has nothing to tune"),
    ],
)
def test_what_cannot_be_tuned_says_why(name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        tune(TuneOptions(name, date(2024, 5, 26), 1.0, 1, True, Settings()))
