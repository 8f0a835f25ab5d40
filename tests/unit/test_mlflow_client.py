"""MLflow's client, where one process turns from one server to another, as tests and proofs do."""

from __future__ import annotations

from pathlib import Path

import pytest

from recsys_jobs.registry import mlflow_client


@pytest.mark.slow
def test_runs_go_to_the_server_that_is_named_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for shop in ("one", "two", "one"):
        home = tmp_path / shop
        monkeypatch.setenv("RECSYS_VAR", str(home))
        monkeypatch.setenv("RECSYS_LAKE", str(home / "shop"))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home / 'mlflow.db'}")
        with mlflow_client.new_run(shop, "exam", "f" + shop, {}) as run:
            assert run.info.artifact_uri.startswith((home / "mlflow" / "artifacts").as_uri())
        assert {found.info.run_name for found in mlflow_client.runs_of_kind("exam")} == {shop}
