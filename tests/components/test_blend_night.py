"""Nights whose recipe is a blend: gated, registered, published, held, and asked why, as any other's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from recsys_jobs.commands.why.print_trace import lines
from recsys_jobs.commands.why.trace import trace_row
from recsys_jobs.contracts.settings import load_settings
from recsys_jobs.contracts.tables import RECOMMENDATIONS
from recsys_jobs.data.from_lake import load_dataset
from recsys_jobs.lake import delta
from recsys_jobs.publishing import promote_rollback
from recsys_jobs.registry import fits, mlflow_client
from tests.components import shop_nights as shop
from tests.components.shop_nights import NIGHTS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

BLEND = "ease_lightgcn"


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with shop.at_home(tmp_path_factory.mktemp("blend")) as home:
        for night in NIGHTS[:2]:
            shop.run_night(night, "--recipe", BLEND)
        yield home


def test_the_registered_blend_answers_as_the_table_does() -> None:
    assert [shop.shown(night)[1] for night in NIGHTS[:2]] == [1, 2]
    published = delta.read_date(RECOMMENDATIONS, NIGHTS[1]).to_pandas().sort_values(["user_id", "rank"])
    model = mlflow.pyfunc.load_model(f"models:/{mlflow_client.registered_name()}@champion")
    answer = model.predict(pd.DataFrame({"user_id": sorted(published["user_id"].unique())}), params={"k": 5})
    assert answer["item_id"].tolist() == published["item_id"].tolist()
    assert answer["score"].to_numpy() == pytest.approx(published["score"].to_numpy(), abs=1e-4)


def test_a_night_that_runs_again_finds_its_fit_and_changes_nothing() -> None:
    before, runs = shop.slates(NIGHTS[1]), len(mlflow_client.fits_of_lake((fits.EXAM, fits.SERVING)))
    shop.run_night(NIGHTS[1], "--recipe", BLEND)
    assert shop.slates(NIGHTS[1]) == before
    assert len(mlflow_client.fits_of_lake((fits.EXAM, fits.SERVING))) == runs


def test_an_older_version_of_a_blend_serves_a_later_night() -> None:
    version = mlflow_client.night_version(1)
    later = load_dataset(NIGHTS[2], load_settings())
    fit = fits.fit_of_run(version.run_id, later)
    assert fit.recipe.name == BLEND
    promote_rollback.rollback("to see it", load_settings())
    shop.run_night(NIGHTS[2], "--recipe", BLEND)
    assert shop.shown(NIGHTS[2])[1] == 1


def test_the_terms_of_its_parts_sum_to_the_published_score() -> None:
    row = delta.read_date(RECOMMENDATIONS, NIGHTS[1]).to_pylist()[0]
    found = trace_row(row["user_id"], row["item_id"], NIGHTS[1])
    assert found.parts is not None and list(found.parts) == ["ease_text", "lightgcn"]
    assert found.explained == pytest.approx(row["score"], abs=1e-4)
    assert any("what each part of the blend adds" in line for line in lines(found))
    assert found.parts["lightgcn"].events is None  # its score is no sum over a history
    by_history = found.parts["ease_text"]
    assert by_history.events is not None and set(by_history.events) <= {event[2] for event in found.history}
    assert sum(by_history.events.values()) + by_history.rest == pytest.approx(by_history.total)
    assert "of ease_text:" in list(lines(found))
