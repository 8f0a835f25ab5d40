"""The peer's own environment under var/peers, made from benchmarks/peers-requirements.txt, and its driver there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import ROOT

_HERE = Path(__file__).parent
_REQUIREMENTS, _DRIVER = _HERE / "peers-requirements.txt", _HERE / "peer_recbole.py"
FOLDER = ROOT / "var" / "peers"


def make() -> Path:
    """Return the environment's Python; it is made again where the requirements have changed. JobError without uv."""
    python, made_from = FOLDER / ".venv" / "bin" / "python", FOLDER / "made-from.txt"
    requirements = _REQUIREMENTS.read_text()
    if python.exists() and made_from.exists() and made_from.read_text() == requirements:
        return python
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    print(f"making the peer's environment in {FOLDER}, once", flush=True)
    _run([uv, "venv", "--quiet", "--python", sys.executable, str(FOLDER / ".venv")])
    _run([uv, "pip", "install", "--quiet", "--python", str(python), "--requirement", str(_REQUIREMENTS)])
    made_from.write_text(requirements)
    return python


def measure(python: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Return the driver's figures of a job (see peer_recbole.py); JobError with its last line where it fails."""
    printed = _run([str(python), str(_DRIVER), json.dumps(job)])
    figures: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return figures


def _run(command: list[str]) -> str:
    try:
        # in its own folder, for RecBole leaves logs wherever it is run
        done = subprocess.run(command, capture_output=True, text=True, cwd=FOLDER)
    except FileNotFoundError:
        raise JobError(f"no {command[0]}: run make setup, which installs it") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise JobError(f"{Path(command[0]).name} ended with {done.returncode}: {last}")
    return done.stdout
