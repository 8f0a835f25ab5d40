"""Nights, rollbacks, releases and a hand in MLflow: what serves after each, on real tables and a real registry.

One shop for the module: the tests run in order, each a day further on.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.torch import load_file
from torch import Tensor

from recsys_jobs.challenges import show_status
from recsys_jobs.challenges.challenge import challenge
from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.settings import Settings, load_settings
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.data.from_lake import load_dataset
from recsys_jobs.models import families
from recsys_jobs.promotion import decision_log
from recsys_jobs.publishing import promote_rollback
from recsys_jobs.ranking.model import Model
from recsys_jobs.ranking.top_k import top_k
from recsys_jobs.registry import fits, mlflow_client
from tests.components import shop_nights as shop
from tests.components.shop_nights import NIGHTS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with shop.at_home(tmp_path_factory.mktemp("promotion")) as home:
        yield home


@pytest.fixture
def settings() -> Settings:
    return load_settings()


def serves(night: int) -> int | None:
    """The version whose slates the table shows for this night, by its place among the nights."""
    return shop.shown(NIGHTS[night])[1]


def kinds() -> list[str]:
    return [row["kind"] for row in decision_log.all_rows()]


def text(settings: Settings) -> str:
    return "\n".join(show_status.status_lines(settings))


def test_each_night_publishes_its_own_fit_and_moves_the_aliases(settings: Settings) -> None:
    for night in NIGHTS[:3]:
        shop.run_night(night)
    assert [serves(night) for night in range(3)] == [1, 2, 3]
    assert shop.aliases() == (3, 2)
    assert kinds() == ["gate", "publish"] * 3
    assert f"serves    shop-recommender version 3: the night of {NIGHTS[2]}" in text(settings)


def test_an_older_night_that_runs_again_moves_no_alias_and_adds_no_row(settings: Settings) -> None:
    before, rows = shop.slates(NIGHTS[0]), len(kinds())
    shop.run_night(NIGHTS[0])
    assert shop.slates(NIGHTS[0]) == before
    assert (shop.aliases(), len(kinds()), len(mlflow_client.versions())) == ((3, 2), rows, 3)


def test_a_rollback_publishes_the_latest_night_again_from_the_version_before(settings: Settings) -> None:
    promote_rollback.rollback("odd slates", settings)
    assert [serves(night) for night in range(3)] == [1, 2, 2]
    assert shop.aliases() == (2, 1)
    [row] = [row for row in decision_log.all_rows() if row["kind"] == "rollback"]
    assert (row["model_version"], row["rejected_version"], row["completed_at"] is None) == (2, 3, False)
    assert row["reason"] == "version 3 was rolled back to version 2: odd slates"


def test_a_second_rollback_goes_further_back(settings: Settings) -> None:
    promote_rollback.rollback("", settings)
    assert serves(2) == 1
    assert shop.aliases() == (1, None)
    assert "why       version 2 was rolled back to version 1" in text(settings)
    assert text(settings).count("rejected") == 2


def test_a_rerun_does_not_bring_back_what_was_rejected() -> None:
    before = shop.slates(NIGHTS[2])
    shop.run_night(NIGHTS[2])
    assert shop.slates(NIGHTS[2]) == before
    assert (shop.aliases(), len(mlflow_client.versions())) == ((1, None), 3)


def test_nor_does_the_next_night_which_is_fitted_and_registered_all_the_same() -> None:
    shop.run_night(NIGHTS[3])
    assert serves(3) == 1
    assert (shop.aliases(), len(mlflow_client.versions())) == ((1, None), 4)


def test_a_release_frees_the_nights_that_follow_and_no_rerun(settings: Settings) -> None:
    promote_rollback.release("the dump is mended", settings)
    shop.run_night(NIGHTS[3])
    assert serves(3) == 1
    shop.run_night(NIGHTS[4])
    assert serves(4) == 5
    assert shop.aliases() == (5, 1)
    with pytest.raises(UsageError, match="nothing is held"):
        promote_rollback.release("", settings)


def test_a_hand_in_mlflow_is_left_alone_and_the_next_live_night_publishes_what_it_chose(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    mlflow_client.client().set_registered_model_alias(mlflow_client.registered_name(), "champion", "4")
    shop.run_night(NIGHTS[4])
    assert (serves(4), shop.aliases()[0]) == (5, 4)
    assert "champion was moved to version 4: the next live night publishes it" in text(settings)
    with caplog.at_level(logging.WARNING):
        shop.run_night(NIGHTS[5])
    assert (serves(5), shop.aliases()[0]) == (4, 4)
    [row] = [row for row in decision_log.all_rows() if row["kind"] == "by_hand"]
    assert (row["effective_date"], row["model_version"]) == (NIGHTS[5], 4)
    assert row["reason"].startswith("champion was moved by hand in MLflow from version 5 to version 4")
    assert row["reason"] in caplog.messages


def test_a_promotion_serves_at_once_and_is_held(settings: Settings) -> None:
    promote_rollback.promote(2, "the best we had", settings)
    assert (serves(5), shop.aliases()[0]) == (2, 2)
    assert "held since" in text(settings) and "by promote" in text(settings)
    with pytest.raises(UsageError, match=r"no night registered version 99 of shop-recommender; known: 1, 2, "):
        promote_rollback.promote(99, "", settings)


def test_who_moved_the_alias_meanwhile_is_told_before_a_command_acts(settings: Settings) -> None:
    mlflow_client.client().set_registered_model_alias(mlflow_client.registered_name(), "champion", "1")
    promote_rollback.promote(5, "", settings)
    assert (serves(5), shop.aliases()[0]) == (5, 5)
    assert kinds()[-3:] == ["by_hand", "promote", "publish"]


def test_below_the_last_version_is_the_floor_and_below_that_nothing(settings: Settings) -> None:
    while shop.shown(NIGHTS[5])[1] is not None:
        promote_rollback.rollback("", settings)
    name, version = shop.shown(NIGHTS[5])
    assert name in settings.floors and version is None
    assert shop.aliases() == (None, None)
    with pytest.raises(JobError, match="nothing further back"):
        promote_rollback.rollback("", settings)
    shop.run_night(NIGHTS[5])
    assert shop.shown(NIGHTS[5]) == (name, None)


def test_a_challenger_is_measured_on_the_same_cuts_and_written_down(settings: Settings) -> None:
    promote_rollback.promote(5, "", settings)
    [verdict] = challenge(["popularity"], None, settings)
    assert verdict.decision in ("passed", "failed")
    challenge(["popularity"], None, settings)
    [row] = [row for row in decision_log.all_rows() if row["kind"] == "challenge"]
    assert (row["recipe"], row["floor"], row["decision"]) == ("popularity", "sage_fm_debug", verdict.decision)
    assert row["users"] >= 10 and row["low"] <= row["difference"] <= row["high"]
    both = challenge(["random"], None, settings)  # the look at popularity counts: two challengers
    assert sorted(one.challenger.fit.recipe.name for one in both) == ["popularity", "random"]
    with pytest.raises(UsageError, match="sage_fm_debug is in force"):
        challenge(["sage_fm_debug"], None, settings)


def test_a_version_ranks_as_it_did_on_its_own_night_and_without_its_fold(settings: Settings) -> None:
    dataset = load_dataset(NIGHTS[0], settings)
    fit = fits.fit_of_run(mlflow_client.night_version(1).run_id, dataset)
    expected = shop.slates(NIGHTS[0])["item_id"].to_pylist()
    assert ranked(fit.model, dataset) == expected
    anew = families.load(weights(1), dataset, fit.recipe)  # as over another night's dataset
    assert ranked(anew, dataset) == expected


def ranked(model: Model, dataset: Dataset) -> list[str]:
    [slates_] = top_k(model, dataset, 5)
    return [dataset.items[item] for item in slates_.item_BK.ravel()]


def weights(version: int) -> dict[str, Tensor]:
    run = mlflow_client.night_version(version).run_id
    with tempfile.TemporaryDirectory() as folder:
        return load_file(str(mlflow_client.fetch(run, "weights/weights.safetensors", Path(folder))))
