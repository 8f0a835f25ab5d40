"""States of broken-off trainings, against a real MLflow: whose they are, and which may go."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
import torch

from recsys_jobs.operations.storage import checkpoints as kept
from recsys_jobs.registry import mlflow_client
from recsys_jobs.training import checkpoints
from recsys_jobs.training.checkpoints import Checkpoint


@pytest.mark.slow
def test_what_is_finished_abandoned_or_broken_goes_and_the_rest_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, place in (("RECSYS_VAR", "var"), ("RECSYS_LAKE", "lake")):
        monkeypatch.setenv(name, str(tmp_path / place))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = tmp_path / "var" / "checkpoints"
    for number, name in enumerate(("a0", "b1", "c2", "d3")):
        state = Checkpoint({"x": torch.zeros(number + 1)}, {"identity": name, "history": [{"epoch": 1}] * number})
        checkpoints.save(folder / name, state)
    (folder / "b1").write_bytes(b"half")
    old = time.time() - 8 * 86_400
    for name in ("b1", "c2"):
        os.utime(folder / name, (old, old))
    tags = {"recipe": "sage_fm", "lake": "demo-lake", "cut": "2014-03-01"}
    with mlflow_client.new_run("x", "exam", "a0", tags):
        pass
    assert [(one.fingerprint, one.state) for one in kept.stored_checkpoints()] == [
        *(("b1", "unreadable"), ("c2", "abandoned"), ("a0", "finished"), ("d3", "unfinished"))
    ]
    kept.remove_unneeded(dry_run=True, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert [one["fingerprint"] for one in told["removed"]] == ["b1", "c2", "a0"]
    assert told["bytes"] == sum((folder / name).stat().st_size for name in ("a0", "b1", "c2"))
    kept.remove_unneeded(dry_run=False, as_json=False)
    assert "3 states" in capsys.readouterr().out
    assert [path.name for path in folder.iterdir()] == ["d3"]
    (last,) = kept.stored_checkpoints()
    assert (last.epochs, last.recipe) == (3, "?")
