"""A bake-off for real on the small shop: windows, fits, a skip, the table, a challenge, and the same again.

One shop for the module: the tests run in order. Two nights have run: one ranks, the later one confirms.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from unittest import mock

import pytest

from recsys_jobs.commands import cli
from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.contracts.tables import CUTS, MODEL_METRICS
from recsys_jobs.lake import delta, model_metrics
from recsys_jobs.promotion import decision_log
from recsys_jobs.registry import mlflow_client
from tests.components import shop_nights as shop
from tests.components.shop_nights import NIGHTS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

EARLY, LATE = NIGHTS[0], NIGHTS[-1]  # the last night's cut is two days after the first night
NAMES = "ease_text,popularity,random,sage_fm_end_to_end_small"


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with shop.at_home(tmp_path_factory.mktemp("bakeoff"), [EARLY, LATE]) as home:
        text = (home / "shop.toml").read_text().replace("sage_fm_debug", "random")  # anything is better than noise
        (home / "shop.toml").write_text(text)
        yield home


def job(step: str, night: date, recipes: str = NAMES) -> None:
    with mock.patch.object(sys, "argv", [step, "--run-date", str(night), "--recipes", recipes]):
        importlib.import_module(f"recsys_jobs.challenges.bakeoff.{step}").main()


def challenges() -> list[decision_log.Row]:
    return [row for row in decision_log.all_rows() if row["kind"] == "challenge"]


def test_a_date_without_an_earlier_night_says_which_night_to_run() -> None:
    with pytest.raises(JobError, match="no night had ended by 2024-05-16.*make nightly DATE=2024-05-16"):
        job("plan", EARLY)
    with pytest.raises(JobError, match="no snapshot of 2024-05-25"):
        job("plan", date(2024, 5, 25))


def test_the_plan_is_one_fit_a_recipe_the_one_in_force_first(capsys: pytest.CaptureFixture[str]) -> None:
    job("plan", LATE)
    planned = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [arguments[-1] for arguments in planned] == ["random", *NAMES.split(",")[:2], NAMES.split(",")[3]]
    assert planned[0] == ["--run-date", str(LATE), "--recipes", "random"]


def test_fits_read_the_cut_before_the_first_window_and_one_that_cannot_fit_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shop.run_job("evaluate.gate", LATE)  # a night that measured, whose rows must stay
    with caplog.at_level(logging.WARNING):
        job("fit", LATE)
    assert "sage_fm_end_to_end_small is skipped: sage_fm_end_to_end_small encodes by itself" in caplog.text
    [cut] = {row["exam_cut"] for row in delta.read_date(CUTS, EARLY).to_pylist()}
    fits = {
        run.data.tags["cut"] for run in mlflow_client.runs_of_kind("exam") if run.data.tags["run_date"] == str(EARLY)
    }
    assert fits == {str(cut)}
    [skipped] = mlflow_client.runs_of_kind("skipped")
    assert (skipped.data.tags["recipe"], skipped.data.tags["cut"]) == ("sage_fm_end_to_end_small", str(cut))


def test_the_table_is_in_delta_beside_the_nights_rows_and_in_mlflow_with_the_skip(tmp_path: Path) -> None:
    night = model_metrics.rows_of(LATE)
    version = delta.version(MODEL_METRICS)
    job("rank", LATE)
    assert delta.version(MODEL_METRICS) == (version or 0) + 1
    assert model_metrics.rows_of(LATE) == night and night
    rows = model_metrics.rows_of(LATE, model_metrics.BAKEOFF)
    assert {row["recipe"] for row in rows} == {"random", "ease_text", "popularity"}
    [ahead] = [row for row in rows if row["metric"] == "ndcg_difference" and row["recipe"] == "ease_text"]
    assert ahead["value"] > ahead["low"] > 0 and ahead["k"] == 5 and ahead["users"] >= 10
    [run] = mlflow_client.runs_of_kind("bakeoff")
    assert run.data.tags["reason"].startswith("ease_text is nominated")
    assert mlflow_client.has_artifact(run.info.run_id, "plots/ndcg.png")
    table = json.loads(mlflow_client.fetch(run.info.run_id, "bakeoff.json", tmp_path).read_text())
    told = {row[0]: row[-1] for row in table["data"]}
    assert (told["ease_text"], told["random"]) == ("ahead, nominated", "in force")
    assert told["sage_fm_end_to_end_small"].startswith("skipped: sage_fm_end_to_end_small encodes by itself")


def test_the_nominated_recipe_is_confirmed_by_one_challenge_and_in_force_from_the_next_night() -> None:
    job("confirm", LATE)
    [row] = challenges()
    assert (row["recipe"], row["floor"], row["decision"]) == ("ease_text", "random", "passed")
    settings = Settings(recipe="random")
    assert decision_log.recipe_in_force(LATE, settings) == "random"
    assert decision_log.recipe_in_force(row["effective_date"], settings) == "ease_text"
    assert shop.aliases() == (None, None)
    [away] = [r for r in model_metrics.rows_of(LATE, model_metrics.CONFIRMATION) if r["metric"] == "ndcg_difference"]
    assert (away["value"], away["low"], away["high"]) == (row["difference"], row["low"], row["high"])
    [ranked] = {
        r["model_fingerprint"] for r in model_metrics.rows_of(LATE, model_metrics.BAKEOFF) if r["recipe"] == "ease_text"
    }
    assert away["model_fingerprint"] != ranked  # it was fitted again, on the cut before the later window


def test_the_same_bake_off_again_trains_nothing_and_writes_the_same_rows() -> None:
    before = delta.read_date(MODEL_METRICS, LATE).to_pylist()
    runs = {run.info.run_id for run in mlflow_client.fits_of_lake(("exam", "skipped", "bakeoff"))}
    with mock.patch.object(sys, "argv", ["recsys", "bakeoff", str(LATE), "--recipes", NAMES]):
        cli.main()
    assert delta.read_date(MODEL_METRICS, LATE).to_pylist() == before
    assert {run.info.run_id for run in mlflow_client.fits_of_lake(("exam", "skipped", "bakeoff"))} == runs
    assert len(challenges()) == 1


def test_a_night_that_is_measured_again_leaves_the_bake_off_alone() -> None:
    before = delta.read_date(MODEL_METRICS, LATE).to_pylist()
    shop.run_job("evaluate.gate", LATE)
    assert delta.read_date(MODEL_METRICS, LATE).to_pylist() == before


def test_without_a_difference_nothing_is_challenged_and_an_older_confirmation_goes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with mock.patch.object(sys, "argv", ["recsys", "bakeoff", str(LATE), "--recipes", "random"]):
        cli.main()
    assert capsys.readouterr().out.splitlines()[-1] == "no difference shown: nobody is ahead of random beyond doubt"
    assert model_metrics.rows_of(LATE, model_metrics.CONFIRMATION) == []
    assert len(challenges()) == 1
