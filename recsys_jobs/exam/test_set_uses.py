"""Counts how often the test figures of a data set were looked at, so that selecting on test leaves a trace.

`var/exams/final_uses.jsonl` gets a line for each such exam, before the first figure is known.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from recsys_jobs.contracts.settings import var_dir


def record_use(fingerprint: str, data: str, protocol: str, models: Sequence[str]) -> int:
    """Append one use and return how many there are of this data now, this one included."""
    path = var_dir() / "exams" / "final_uses.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    use = {"fingerprint": fingerprint, "data": data, "protocol": protocol, "models": list(models)}
    with path.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps(use | {"when": datetime.now(UTC).isoformat(timespec="seconds")}) + "\n")
        file.flush()
        return _count(path, fingerprint)


def _count(path: Path, fingerprint: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return sum(json.loads(line)["fingerprint"] == fingerprint for line in lines)
