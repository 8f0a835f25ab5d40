"""Rating regression: stars from user, movie, title and genres, as the seed has them."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
import torch

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.data.holdout import Holdout
from recsys_jobs.evaluation.ratings import evaluate_ratings
from recsys_jobs.models.ncf.learner import FittedNcf, fit, load
from recsys_jobs.models.ncf.network import Contents, Ncf
from recsys_jobs.models.ncf.recipe import ncf_rating
from recsys_jobs.ranking.model import Rater
from tests.unit.worlds import dataset, two_tastes, with_everything, without_validation

pytestmark = pytest.mark.usefixtures("one_thread")

TINY = replace(ncf_rating(), width=8, hidden=(16, 8), batch=64, learning_rate=0.02, max_epochs=20, dropout=0.0)


def new_movies(shown_by: str) -> Dataset:
    """Return a world of two tastes in stars, whose last ten items nobody rated in training.

    What kind a movie is shows in its `text`, its `genres`, or nowhere. Held out are stars of the new movies.
    """
    random = np.random.default_rng(0)
    users, items, new = 60, 50, 10
    pairs = [(user, int(item)) for user in range(users) for item in random.choice(items - new, 12, replace=False)]
    pairs += [(user, items - new + user % new) for user in range(users)]
    pairs += [(user, items - new + (user + 1) % new) for user in range(users)]
    user_E, item_E = (np.array(side) for side in zip(*pairs, strict=True))
    stars = np.where(user_E % 2 == item_E % 2, 5, 1).astype(np.float32)
    kind = np.eye(2, dtype=np.float32)[np.arange(items) % 2]
    shown = {
        "text": {"text_IT": np.pad(kind, ((0, 0), (0, 4))), "text_present_I": np.ones(items, np.bool_)},
        "genres": {"genre_IG": kind > 0},
        "nowhere": {},
    }
    return dataset(pairs, users, items, 2 * users, rating_E=stars, **shown[shown_by])


def error_on_new_movies(shown_by: str) -> float:
    """Return the RMSE on the held-out stars of a model that did not see them; their deviation is 2."""
    data = new_movies(shown_by)
    model = fit(without_validation(data), TINY, seed=0, epochs=20)
    held = data.validation_E
    (found,) = [
        row.value
        for row in evaluate_ratings(
            model, Holdout(data.event_user_E[held], data.event_item_E[held], rating_T=data.rating_E[held])
        )
        if row.metric == "rmse"
    ]
    return found


@pytest.mark.parametrize("shown_by", ["text", "genres"])
def test_a_new_movie_is_rated_by_its_title_or_its_genres(shown_by: str) -> None:
    assert error_on_new_movies(shown_by) < 0.7


def test_a_new_movie_of_which_nothing_is_known_is_rated_by_chance() -> None:
    assert error_on_new_movies("nowhere") > 1.8


def test_every_pair_at_once_and_pair_by_pair_are_the_same_stars() -> None:
    data = replace_genres(with_everything())
    torch.manual_seed(0)
    ones = np.ones(30, np.bool_), np.ones(20, np.bool_)
    network = Ncf(TINY, *ones, text_width=6, genres=3).eval()
    users, items = torch.arange(30).repeat_interleave(20), torch.arange(20).repeat(30)
    contents = Contents(data)
    with torch.no_grad():
        one_by_one = network(contents, users, items).reshape(30, 20)
    assert torch.allclose(network.all_items(contents, torch.arange(30)), one_by_one, atol=1e-5)


def replace_genres(data: Dataset) -> Dataset:
    random = np.random.default_rng(2)
    return dataclasses.replace(data, genre_IG=random.random((len(data.items), 3)) < 0.4)


def test_both_losses_are_logged_and_the_best_epoch_is_the_lowest() -> None:
    fitted = fit(new_movies("genres"), TINY, seed=0)
    held = [entry["validation_loss"] for entry in fitted.history]
    assert fitted.epochs == int(np.argmin(held)) + 1
    assert held[fitted.epochs - 1] < 0.5 * held[0]
    assert fitted.history[-1]["loss"] < 0.2 * fitted.history[0]["loss"]
    later = [entry for entry in fitted.history if entry["epoch"] > fitted.epochs]
    assert len(later) <= TINY.patience


def test_predicted_stars_stay_within_those_that_training_saw() -> None:
    model = fit(new_movies("text"), replace(TINY, max_epochs=40), seed=0, epochs=40)
    assert isinstance(model, Rater)
    users, items = torch.arange(60).repeat_interleave(50), torch.arange(50).repeat(60)
    stars = model.predict_ratings(users, items)
    assert (float(stars.min()), float(stars.max())) == (1.0, 5.0)
    assert float(model.score_block(torch.arange(60)).max()) > 5.0


def test_a_later_dataset_has_other_users_and_movies() -> None:
    data = new_movies("genres")
    model = fit(data, TINY, seed=0, epochs=3)
    more = dataclasses.replace(
        data,
        users=["new", *data.users],
        event_user_E=data.event_user_E + 1,
        items=[*data.items, "new"],
        text_IT=np.zeros((51, 6), np.float32),
        text_present_I=np.zeros(51, np.bool_),
        text_from_reviews_I=np.zeros(51, np.bool_),
        image_IV=np.zeros((51, 0), np.float32),
        image_present_I=np.zeros(51, np.bool_),
        genre_IG=np.concatenate([data.genre_IG, data.genre_IG[:1]]),
    )
    later = load(model.weights(), more, TINY)
    before = model.score_block(torch.arange(60))
    after = later.score_block(torch.arange(1, 61))
    assert torch.allclose(after[:, :50], before, atol=1e-6)
    assert later.score_block(torch.tensor([0])).isfinite().all()


def test_without_stars_it_says_what_is_missing() -> None:
    with pytest.raises(JobError, match="learns from stars"):
        fit(two_tastes(), TINY, seed=0)


def test_weights_of_another_width_are_refused() -> None:
    model: FittedNcf = fit(new_movies("genres"), TINY, seed=0, epochs=1)
    with pytest.raises(JobError, match="do not fit recipe ncf_rating"):
        load(model.weights(), new_movies("nowhere"), TINY)
