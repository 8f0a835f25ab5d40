"""The tail of a night: one step fits and writes down what is to be published, the two that follow never fit.

One shop for the module: the tests run in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import load_settings
from recsys_jobs.contracts.tables import RECOMMENDATIONS
from recsys_jobs.lake import delta, staging
from recsys_jobs.models import families
from recsys_jobs.promotion import decision_log
from recsys_jobs.publishing import manifest, promote_rollback
from recsys_jobs.publishing.manifest import Manifest
from recsys_jobs.registry import mlflow_client, register
from recsys_jobs.registry.fits import SERVING
from tests.components import shop_nights as shop
from tests.components.shop_nights import NIGHTS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
FIRST, SECOND, THIRD, FOURTH = NIGHTS[:4]
JUDGED = ("train.recipe", "train.floor", "evaluate.gate")
TAIL = ("recommend.top_k", "recommend.publish")


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A shop with one whole night, and a second one that the gate has judged."""
    with shop.at_home(tmp_path_factory.mktemp("tail"), NIGHTS[:4]) as home:
        shop.run_night(FIRST)
        for job in JUDGED:
            shop.run_job(job, SECOND)
        yield home


@pytest.fixture
def no_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever fits or registers a model fails the test."""

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("the tail of a night fits and registers nothing")

    monkeypatch.setattr(families, "fit", forbidden)
    monkeypatch.setattr(register, "write_model", forbidden)
    monkeypatch.setattr(mlflow_client, "register", forbidden)


def written(night: int) -> Manifest:
    found = manifest.read(NIGHTS[night])
    assert found is not None
    return found


def staged(night: int) -> list[str]:
    return sorted(path.name for path in staging.night_folder(NIGHTS[night]).iterdir())


@pytest.mark.parametrize("job", TAIL)
def test_where_nothing_is_fitted_both_name_the_step_to_run(no_fit: None, job: str) -> None:
    line = (
        f"^MLflow has no serving fit of sage_fm_debug for {SECOND}: "
        f"run python -m recsys_jobs.night.fit_serving --run-date {SECOND} first$"
    )
    with pytest.raises(JobError, match=line):
        shop.run_job(job, SECOND)
    assert delta.dates(RECOMMENDATIONS) == [FIRST]
    assert manifest.read(SECOND) is None


def test_what_forbids_fits_here_would_be_noticed(no_fit: None) -> None:
    with pytest.raises(AssertionError, match="fits and registers nothing"):
        shop.run_job("recommend.fit", SECOND)


def test_the_fit_writes_down_what_is_to_be_published() -> None:
    shop.run_job("recommend.fit", SECOND)
    planned, gate = written(1), decision_log.gate_decision(SECOND, "sage_fm_debug")
    assert (planned.run_date, planned.recipe, planned.version) == (str(SECOND), "sage_fm_debug", 2)
    assert planned.run_id == mlflow_client.night_version(2).run_id
    assert planned.fingerprint == mlflow_client.night_version(2).tags["fingerprint"]
    assert planned.epochs == mlflow_client.get_run(planned.run_id).data.params["epochs_fitted"]
    assert (planned.decisions, planned.rejected) == ((gate["decision_id"],), ())
    assert planned.reason == gate["reason"]
    assert staged(1) == ["manifest.json"]


def test_slates_and_publishing_follow_it_and_it_outlives_the_shards(no_fit: None) -> None:
    planned = written(1)
    for job in TAIL:
        shop.run_job(job, SECOND)
    assert (shop.shown(SECOND)[1], shop.aliases()) == (2, (2, 1))
    assert (staged(1), written(1)) == (["manifest.json"], planned)


@pytest.mark.parametrize("job", [*TAIL, "recommend.publish"])  # publish with slates that top_k staged anew, and without
def test_a_task_that_is_cleared_afterwards_runs_alone(no_fit: None, job: str) -> None:
    before, rows = shop.slates(SECOND), len(decision_log.all_rows())
    shop.run_job(job, SECOND)
    assert shop.slates(SECOND) == before
    assert (len(decision_log.all_rows()), shop.aliases()) == (rows, (2, 1))


@pytest.mark.parametrize("lost", ["removed", "half a file", "of another snapshot"])
def test_without_its_word_the_same_is_chosen_among_what_is_fitted(no_fit: None, lost: str) -> None:
    planned, path = written(1), staging.night_folder(SECOND) / manifest.NAME
    if lost == "removed":
        path.unlink()
    elif lost == "half a file":
        path.write_text(path.read_text(encoding="utf-8")[:40], encoding="utf-8")
    else:
        manifest.write(replace(planned, inputs="of another snapshot"))
    shop.run_job("recommend.top_k", SECOND)
    assert written(1) == planned


def test_a_fit_that_is_killed_before_it_wrote_is_found_and_not_made_again(request: pytest.FixtureRequest) -> None:
    for job in JUDGED:
        shop.run_job(job, THIRD)
    shop.killed("manifest:before", "recsys_jobs.night.fit_serving", "--run-date", str(THIRD))
    assert (len(mlflow_client.versions()), manifest.read(THIRD)) == (3, None)
    request.getfixturevalue("no_fit")
    shop.run_job("recommend.fit", THIRD)  # cleared, it finds what the killed one made
    assert (len(mlflow_client.versions()), written(2).version) == (3, 3)


def test_a_person_who_decides_between_two_steps_is_heard(request: pytest.FixtureRequest) -> None:
    shop.run_job("recommend.top_k", THIRD)
    promote_rollback.rollback("odd slates", load_settings())
    assert (shop.shown(SECOND)[1], written(1).version) == (1, 1)
    request.getfixturevalue("no_fit")
    shop.run_job("recommend.publish", THIRD)  # what is staged is of version 3
    assert (shop.shown(THIRD)[1], shop.aliases()) == (1, (1, None))
    assert (written(2).version, written(2).rejected) == (1, (2,))


def test_a_rollback_to_the_floor_is_a_person_s_and_may_fit_it() -> None:
    before = mlflow_client.fits_of_lake((SERVING,))
    promote_rollback.rollback("", load_settings())
    floor = decision_log.gate_decision(THIRD, "sage_fm_debug")["floor"]
    assert (shop.shown(THIRD), written(2).recipe, written(2).version) == ((floor, None), floor, None)
    assert len(mlflow_client.fits_of_lake((SERVING,))) == len(before) + 1


def test_a_night_whose_floor_is_held_has_it_fitted_by_the_step_that_fits(request: pytest.FixtureRequest) -> None:
    for job in JUDGED:
        shop.run_job(job, FOURTH)
    floor = decision_log.gate_decision(FOURTH, "sage_fm_debug")["floor"]
    with pytest.raises(JobError, match=f"no serving fit of {floor} for {FOURTH}: .* --run-date {FOURTH} first"):
        shop.run_job("recommend.top_k", FOURTH)
    shop.run_job("recommend.fit", FOURTH)
    assert (written(3).recipe, written(3).version, len(mlflow_client.versions())) == (floor, None, 4)
    request.getfixturevalue("no_fit")
    for job in TAIL:
        shop.run_job(job, FOURTH)
    assert shop.shown(FOURTH) == (floor, None)
