"""Modules as processes of their own, forked from one that has the libraries imported, as a night's steps are."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

from recsys_jobs.contracts.settings import ROOT

_OF_THE_TEST_ALONE = ("PYTEST_", "RECSYS_", "MLFLOW_")


def run_module(*command: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run `python -m command` in this environment and what `environment` adds; return how it ended and what it said."""
    return _run(command, dict(os.environ), environment)


def run_module_elsewhere(
    *command: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The same for a process that is to know nothing of this test's places, but for those of `environment`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OF_THE_TEST_ALONE)}
    return _run(command, kept, environment)


def _run(
    command: tuple[str, ...], variables: dict[str, str], more: Mapping[str, str] | None
) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in variables.items() if not name.startswith("PYTEST_")}  # of each its own
    call = [sys.executable, "-m", "plugins.warm_job", str(os.getpid()), *command]
    variables |= {"PYTHONPATH": str(ROOT), **(more or {})}
    return subprocess.run(call, env=variables, capture_output=True, text=True, check=False, cwd=ROOT)
