"""Whose model is champion after nights in any order, in a real registry."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from recsys_jobs import lake
from recsys_jobs.publish import _crown
from recsys_jobs.settings import Settings
from recsys_jobs.step import Step
from recsys_jobs.tables import RECOMMENDATIONS

pytestmark = pytest.mark.slow

FIRST, SECOND, THIRD = (date(2014, 3, day) for day in (1, 2, 3))


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of one registry: making its database takes longer than all else here."""
    return tmp_path_factory.mktemp("var")


@pytest.fixture(autouse=True)
def shop(var: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A lake of its own, and by its name a registered model of its own."""
    from recsys_jobs import tracking

    monkeypatch.setenv("RECSYS_VAR", str(var))
    monkeypatch.setenv("RECSYS_LAKE", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield
    tracking.client.cache_clear()
    tracking.experiment_id.cache_clear()


def publish(day: date, version: int | None) -> None:
    """The end of a night that publishes this version, or the floor."""
    row = {"run_date": day, "user_id": "ann", "rank": 1, "item_id": "cup", "score": 1.0, "model_version": version}
    row |= {"model_name": "shop-recommender" if version else "ease_text", "model_fingerprint": "f"}
    slates = pa.Table.from_pylist([row], lake.arrow_schema(RECOMMENDATIONS))
    lake.replace_date(RECOMMENDATIONS, day, slates)
    _crown(Step(day, Settings(), "sage_fm"), slates)


def registered(day: date) -> int:
    """A version whose fit was first made by the night of `day`."""
    from recsys_jobs import tracking

    with tracking.new_run(f"serving {day}", "serving", str(day), {}) as run:
        pass
    return tracking.register(f"runs:/{run.info.run_id}/model", run.info.run_id, {"run_date": str(day)})


def champion() -> int | None:
    from recsys_jobs import tracking

    found = tracking.aliased(tracking.CHAMPION)
    return int(found.version) if found else None


def test_each_later_night_moves_the_alias_and_an_older_one_does_not() -> None:
    first, third, second = registered(FIRST), registered(THIRD), registered(SECOND)
    publish(FIRST, first)
    assert champion() == first
    publish(THIRD, third)
    assert champion() == third
    publish(SECOND, second)
    assert champion() == third


def test_an_older_night_moves_nothing_where_the_latest_published_the_floor() -> None:
    publish(SECOND, None)
    publish(FIRST, registered(FIRST))
    assert champion() is None


def test_an_older_night_moves_nothing_where_the_champion_was_first_fitted_for_a_still_older_one() -> None:
    same, second = registered(FIRST), registered(SECOND)
    publish(FIRST, same)
    publish(THIRD, same)  # no event between the two: the same inputs, so the same version
    publish(SECOND, second)
    assert champion() == same


def test_a_rerun_of_the_latest_night_may_move_it() -> None:
    publish(FIRST, registered(FIRST))
    publish(SECOND, None)
    version = registered(SECOND)
    publish(SECOND, version)
    assert champion() == version
