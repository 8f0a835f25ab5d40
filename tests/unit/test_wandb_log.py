"""Weights & Biases: never imported unless asked for, said where it is absent, a real offline run where it is there."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.exam import wandb_log


def test_an_absent_library_is_said_before_anything_is_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "wandb")
    with pytest.raises(UsageError, match="--wandb needs the package wandb"):
        wandb_log.require()


def test_an_exam_does_not_import_it() -> None:
    code = "import sys, recsys_jobs.exam.wandb_log; sys.exit('wandb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(find_spec("wandb") is None, reason="the library is no dependency of ours")
def test_an_offline_run_is_kept_in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_VAR", str(tmp_path))
    monkeypatch.setenv("WANDB_MODE", "offline")
    wandb_log.log("shop", "shop validation", {"seed": "0"}, {"ease_ndcg": 0.5}, {"sasrec": [{"epoch": 1, "loss": 0.7}]})
    (written,) = (tmp_path / "wandb").glob("wandb/offline-run-*/run-*.wandb")
    assert b"ease_ndcg" in written.read_bytes()
