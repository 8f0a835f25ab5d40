"""Snapshots stand as long as their inputs do: a setting that they read and the record left out would go unnoticed."""

from __future__ import annotations

import re
from pathlib import Path

from recsys_jobs.contracts.settings import ROOT
from spark.snapshots import _SETTINGS


def test_every_setting_that_the_snapshots_read_is_among_their_inputs() -> None:
    sources = [path.read_text(encoding="utf-8") for path in Path(ROOT, "spark").glob("*.py")]
    read = {name for source in sources for name in re.findall(r"\bsettings\.(\w+)", source)}
    of_ingest = {"max_quarantined"}
    assert read - of_ingest == set(_SETTINGS)
