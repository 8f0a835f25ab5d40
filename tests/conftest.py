"""Fixtures that several rooms share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real dumps and benchmark splits, which does not travel with the repository."""
    folder = Path(os.environ.get("RECSYS_SHARED_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(
            f"no real data at {folder}: set RECSYS_SHARED_DATA to the folder that holds landing/ and benchmarks/"
        )
    return folder
