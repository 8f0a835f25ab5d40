"""Jobs of a night that are killed at their write points and run again: nothing lost, doubled or half visible.

One cell of the fault matrix for each kind of point; `make prove` runs the whole of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import load_settings, var_dir
from recsys_jobs.contracts.tables import MODEL_METRICS, POPULAR_ITEMS, RECOMMENDATIONS
from recsys_jobs.lake import delta
from recsys_jobs.promotion import decision_log
from recsys_jobs.promotion.serving_rules import open_moves
from recsys_jobs.publishing import promote_rollback
from recsys_jobs.registry import mlflow_client
from tests.components import shop_nights as shop
from tests.components.shop_nights import NIGHTS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
FIRST, SECOND = NIGHTS[0], NIGHTS[1]


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A shop with one whole night, and a second one up to its slates."""
    with shop.at_home(tmp_path_factory.mktemp("crash"), NIGHTS[:4]) as home:
        shop.run_night(FIRST)
        for job in shop.JOBS[:-1]:
            shop.run_job(job, SECOND)
        yield home


def publish_killed(point: str) -> None:
    shop.killed(point, "recsys_jobs.night.publish", "--run-date", str(SECOND))


def open_rows() -> list[str]:
    return [row["kind"] for row in open_moves(decision_log.all_rows())]


def test_killed_before_the_intent_nothing_has_changed() -> None:
    publish_killed("promotions:before")
    assert delta.dates(RECOMMENDATIONS) == [FIRST]
    assert (open_rows(), shop.aliases()) == ([], (1, None))


def test_killed_between_data_files_and_commit_no_reader_sees_a_row() -> None:
    versions = [delta.version(table) for table in (RECOMMENDATIONS, POPULAR_ITEMS)]
    files = len(list(Path(delta.table_path(POPULAR_ITEMS)).rglob("*.parquet")))
    publish_killed("popular_items:files")
    assert len(list(Path(delta.table_path(POPULAR_ITEMS)).rglob("*.parquet"))) > files
    assert [delta.version(table) for table in (RECOMMENDATIONS, POPULAR_ITEMS)] == versions
    assert (open_rows(), shop.aliases()) == (["publish"], (1, None))


def test_killed_after_the_commit_the_night_is_whole_and_the_alias_waits() -> None:
    publish_killed("recommendations:after")
    assert shop.shown(SECOND)[1] == 2
    assert (open_rows(), shop.aliases()) == (["publish"], (1, None))


def test_killed_between_table_and_alias_the_next_night_finishes_it() -> None:
    publish_killed("publish:tables")
    assert shop.aliases() == (1, None)
    shop.run_job("train.recipe", NIGHTS[2])
    assert (open_rows(), shop.aliases()) == ([], (2, 1))
    assert [row["kind"] for row in decision_log.all_rows()] == ["gate", "publish", "gate", "publish"]
    assert "by_hand" not in {row["kind"] for row in decision_log.all_rows()}


def test_killed_after_all_is_done_and_before_success_is_reported_a_retry_finds_it_done() -> None:
    before = shop.slates(SECOND)
    publish_killed("publish:cleared")  # nothing is staged any more
    shop.run_job("recommend.publish", SECOND)
    assert shop.slates(SECOND) == before
    assert (open_rows(), shop.aliases()) == ([], (2, 1))


def test_run_again_it_is_the_same_night(home: Path) -> None:
    before = shop.slates(SECOND)
    for job in shop.JOBS:
        shop.run_job(job, SECOND)
    assert shop.slates(SECOND) == before
    assert (len(decision_log.all_rows()), len(mlflow_client.versions())) == (4, 2)


@pytest.mark.parametrize("point", ["rollback:intent", "publish:alias"])
def test_a_rollback_that_is_killed_is_finished_and_not_done_twice(point: str) -> None:
    settings = load_settings()
    shop.killed(point, "recsys_jobs.commands.cli", "rollback")
    assert "rollback" in open_rows()
    promote_rollback.rollback("", settings)  # finishes the one that was cut off, and goes no further
    assert (shop.shown(SECOND)[1], shop.aliases(), open_rows()) == (1, (1, None), [])
    promote_rollback.promote(2, "back to where the test began", settings)
    assert (shop.shown(SECOND)[1], shop.aliases()) == (2, (2, 1))


def test_a_fit_killed_before_it_is_kept_is_made_again_from_its_checkpoint() -> None:
    night = NIGHTS[3]
    shop.killed("exam:logged", "recsys_jobs.night.train", "--run-date", str(night))
    [checkpoint] = (var_dir() / "checkpoints").iterdir()
    shop.run_job("train.recipe", night)
    assert mlflow_client.find_run(checkpoint.name, "exam") is not None
    assert not checkpoint.exists()


def test_an_exam_killed_before_its_verdict_is_held_again_and_ends_alike() -> None:
    night = NIGHTS[2]
    shop.killed("model_metrics:after", "recsys_jobs.night.evaluate", "--run-date", str(night))
    with pytest.raises(JobError, match=f"no decision on sage_fm_debug for {night}"):
        decision_log.gate_decision(night, "sage_fm_debug")
    shop.run_job("evaluate.gate", night)
    assert decision_log.gate_decision(night, "sage_fm_debug")["decision"] == "passed"
    rows = delta.read_date(MODEL_METRICS, night, list(MODEL_METRICS.key)).to_pylist()
    assert len(rows) == len({tuple(row.values()) for row in rows})


def test_a_version_that_nobody_was_told_of_is_found_and_not_registered_twice() -> None:
    night = NIGHTS[2]
    shop.killed("register:after", "recsys_jobs.night.fit_serving", "--run-date", str(night))
    assert len(mlflow_client.versions()) == 3
    for job in shop.JOBS:
        shop.run_job(job, night)
    assert (len(mlflow_client.versions()), shop.shown(night)[1], shop.aliases()[0]) == (3, 2, 2)  # 2 is held
