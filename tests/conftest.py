"""Fixtures that several rooms share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.security.figure import pytest_terminal_summary as pytest_terminal_summary

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parent.parent


ROOMS = ("e2e", "components", "spark", "security", "unit")  # the longest files first, so that no worker ends alone


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: ROOMS.index(item.path.relative_to(ROOT / "tests").parts[0]))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real dumps and benchmark splits, which does not travel with the repository."""
    folder = Path(os.environ.get("RECSYS_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(
            f"no real data at {folder}: set RECSYS_SHARED_DATA to the folder that holds landing/ and benchmarks/"
        )
    return folder


@pytest.fixture(autouse=True)
def tracking_server_of_the_test() -> Iterator[None]:
    """MLflow sets its address in the environment, whoever named it: the next test names its own."""
    name = "MLFLOW_TRACKING_URI"
    before = os.environ.get(name)
    yield
    os.environ.pop(name, None) if before is None else os.environ.update({name: before})


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """The one Spark session of all tests: a start costs ten seconds and more."""
    os.environ.setdefault("RECSYS_SPARK_MASTER", "local[2]")
    from spark.session import get_spark

    os.environ.setdefault("RECSYS_SPARK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")  # small rows, many plans
    session = get_spark("tests")
    yield session
    session.stop()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One thread for torch: on tensors as small as the tests' a second only waits for the first."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
