"""A search for real on the small shop: what it may read, MLflow, the one look at the later window, and the same again.

One shop for the module: the tests run in order. Two nights have run: the search is before the earlier one's window, the
later one confirms. Noise is in force, so that anything is better.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import write_deltalake
from optuna.study import Study

from recsys_jobs.challenges import challenge
from recsys_jobs.challenges.bakeoff import entrants
from recsys_jobs.challenges.bakeoff.entrants import load_ranking_night
from recsys_jobs.commands import cli
from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import Settings, load_settings
from recsys_jobs.contracts.tables import CONTENTS, INTERACTIONS, ITEM_EDGES, Table
from recsys_jobs.data import from_lake
from recsys_jobs.data.from_lake import load_holdout
from recsys_jobs.lake import delta
from recsys_jobs.lake.cuts import exam_cut
from recsys_jobs.models.closed_form.recipe import ease_text
from recsys_jobs.models.recipes import get_recipe
from recsys_jobs.models.tuned_recipes import keep
from recsys_jobs.promotion import decision_log
from recsys_jobs.registry import mlflow_client
from recsys_jobs.tuning import record
from recsys_jobs.tuning.search import Budget, best_trial, finished_trials
from recsys_jobs.tuning.space import with_values
from recsys_jobs.tuning.tune import search_recipe
from tests.components import shop_nights as shop
from tests.components.shop_nights import NIGHTS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

EARLY, LATE = NIGHTS[0], NIGHTS[-1]  # the last night's cut is two days after the first night
TRIALS = 12


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with shop.at_home(tmp_path_factory.mktemp("tuning"), [EARLY, LATE]) as home:
        text = (home / "shop.toml").read_text().replace("sage_fm_debug", "random")
        (home / "shop.toml").write_text(text)
        yield home


def tuned(capsys: pytest.CaptureFixture[str], *arguments: str, name: str = "ease_text") -> str:
    """The last line that `recsys tune` prints."""
    with mock.patch.object(sys, "argv", ["recsys", "tune", name, "--date", str(LATE), *arguments]):
        cli.main()
    return capsys.readouterr().out.splitlines()[-1]


def ease_searched() -> Study:
    return search_recipe(ease_text(), load_ranking_night(EARLY, load_settings()), Budget(60, TRIALS))


def values(study: Study) -> list[tuple[dict[str, Any], float | None]]:
    return [(trial.params, trial.value) for trial in finished_trials(study)]


def challenges() -> list[decision_log.Row]:
    return [row for row in decision_log.all_rows() if row["kind"] == "challenge"]


def no_holdout(*_: object) -> None:
    raise AssertionError("a search looked at a holdout")


def test_a_date_without_an_earlier_night_says_which_night_to_run(capsys: pytest.CaptureFixture[str]) -> None:
    with (
        mock.patch.object(sys, "argv", ["recsys", "tune", "ease_text", "--date", str(EARLY)]),
        pytest.raises(SystemExit) as end,
    ):
        cli.main()
    assert end.value.code == 1
    assert "no night had ended by 2024-05-16" in capsys.readouterr().err
    with pytest.raises(JobError, match="no snapshot of 2024-05-25"):
        exam_cut(date(2024, 5, 25))


def test_the_search_reads_no_holdout_and_nothing_after_its_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (from_lake, entrants, challenge):
        monkeypatch.setattr(module, "load_holdout", no_holdout)
    read, (cut, _) = delta.read_date, exam_cut(EARLY)

    def only_before(table: Table, day: date, *arguments: Any) -> pa.Table:
        assert table not in (INTERACTIONS, CONTENTS, ITEM_EDGES) or day <= cut
        return read(table, day, *arguments)

    monkeypatch.setattr(delta, "read_date", only_before)
    last = tuned(capsys, "--trials", str(TRIALS), "--search-only")
    assert last.startswith("ease_text-tuned-") and "call again without --search-only" in last
    assert challenges() == []


def test_every_trial_is_a_run_and_the_search_has_its_table_and_picture(tmp_path: Path) -> None:
    runs = mlflow_client.runs_of_kind(record.TRIAL, record.EXPERIMENT)
    assert {run.data.tags["trial"] for run in runs} == {str(number) for number in range(TRIALS)}
    [first] = [run for run in runs if run.data.tags["trial"] == "0"]
    assert first.data.params["ridge"] == "120.0" and first.data.tags["state"] == "complete"
    assert set(first.data.metrics) == {"validation_ndcg", "epochs", "seconds"}
    [whole] = mlflow_client.runs_of_kind(record.SEARCH, record.EXPERIMENT)
    assert mlflow_client.has_artifact(whole.info.run_id, "plots/search.png")
    table = json.loads(mlflow_client.fetch(whole.info.run_id, "trials.json", tmp_path).read_text())
    assert len(table["data"]) == TRIALS
    assert whole.data.metrics["validation_ndcg"] == max(run.data.metrics["validation_ndcg"] for run in runs)
    assert mlflow_client.fits_of_lake((record.TRIAL, record.SEARCH)) == []


def test_the_same_search_again_fits_nothing_and_a_run_that_a_kill_kept_away_is_made_up_for() -> None:
    [one, *_] = mlflow_client.runs_of_kind(record.TRIAL, record.EXPERIMENT)
    mlflow_client.client().delete_run(one.info.run_id)
    with mock.patch("recsys_jobs.tuning.tune.validation_score", side_effect=AssertionError("fitted again")):
        ease_searched()
    assert len(mlflow_client.runs_of_kind(record.TRIAL, record.EXPERIMENT)) == TRIALS
    assert len(mlflow_client.runs_of_kind(record.SEARCH, record.EXPERIMENT)) == 1


def test_other_events_after_the_cut_are_the_same_search_bit_for_bit(home: Path) -> None:
    before, table = ease_searched(), Path(delta.table_path(INTERACTIONS))
    night = load_ranking_night(EARLY, load_settings())
    rows = delta.read(INTERACTIONS)
    item = pc.if_else(pc.greater(rows["interacted_at"].cast(pa.date32()), night.cut), "i000", rows["item_id"])
    shutil.copytree(table, home / "kept")
    shutil.move(home / "tuning", home / "before")
    altered = rows.drop_columns("item_id").append_column("item_id", item)
    write_deltalake(table, altered.select(rows.column_names), mode="overwrite", partition_by=["as_of"])
    try:
        assert set(load_holdout(EARLY, night.cut, night.dataset).item_T) == {0}
        after = ease_searched()
        assert after.study_name == before.study_name
        assert values(after) == values(before)
    finally:
        shutil.rmtree(table)
        shutil.move(home / "kept", table)


def test_the_winner_challenges_once_and_is_in_force_under_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    last = tuned(capsys, "--trials", str(TRIALS))
    [row] = challenges()
    assert last == row["reason"]
    assert (row["floor"], row["decision"]) == ("random", "passed")
    name = decision_log.recipe_in_force(row["effective_date"], Settings(recipe="random"))
    assert name.startswith("ease_text-tuned-")
    found = get_recipe(name)
    winner = best_trial(ease_searched()).params
    assert {field: getattr(found, field) for field in winner} == winner


def test_it_does_not_look_again_at_the_same_winner_or_at_another(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    [row] = challenges()
    monkeypatch.setattr(challenge, "load_holdout", no_holdout)
    assert tuned(capsys, "--trials", str(TRIALS)) == f"measured before, and not again: {row['reason']}"
    monkeypatch.setattr("recsys_jobs.tuning.tune.best_trial", lambda study: finished_trials(study)[-1])
    last = tuned(capsys, "--trials", str(TRIALS))
    assert f"is not measured on {LATE}, where {row['recipe']} was" in last and "confirm it on a later night" in last
    assert len(challenges()) == 1


def test_where_the_recipe_itself_is_best_nothing_is_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(challenge, "load_holdout", no_holdout)
    last = tuned(capsys, "--trials", "1", name="item_knn")
    assert last == "no better found: of 1 trials item_knn as it stands is best on validation"


def test_a_trained_recipe_is_searched_and_a_night_runs_on_what_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    tuned(capsys, "--trials", "4", "--search-only", name="sage_fm_debug")
    runs = mlflow_client.runs_of_kind(record.TRIAL, record.EXPERIMENT)
    trained = [run for run in runs if run.data.tags["recipe"] == "sage_fm_debug"]
    assert len(trained) == 4 and {run.data.metrics["epochs"] for run in trained} <= {1.0, 2.0}
    name = keep(with_values(get_recipe("sage_fm_debug"), {"learning_rate": 2e-3})).name
    shop.run_night(LATE, "--recipe", name)
    assert [version.tags["recipe"] for version in mlflow_client.versions()] == [name]
