"""Which files of `embeddings` a gate has passed: a night judges the new ones, maintenance the whole table.

The record stands in the lake, `_gates/embeddings.json`: losing it costs no more than judging all again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from recsys_jobs.contracts.settings import lake_root
from recsys_jobs.contracts.source_hash import sources_hash
from recsys_jobs.lake.delta import Files

_SUITE = "expectations.embeddings"  # judged by another, a file has to be judged again


@dataclass(frozen=True)
class Judged:
    """The files that passed, and the dimension of each encoder in them."""

    files: Files = field(default_factory=Files)
    dimensions: Mapping[str, int] = field(default_factory=dict)


def load() -> Judged:
    """What was judged by the present suite; nothing where no record of that can be read."""
    try:
        record = json.loads(_path().read_text(encoding="utf-8"))
        if record["suite"] != sources_hash(_SUITE):
            return Judged()
        return Judged(Files(paths=frozenset(record["files"])), dict(record["dimensions"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Judged()


def save(judged: Judged) -> None:
    """Keep it, in one step."""
    from expectations.atomic_files import write_atomically  # brings Great Expectations, which a look alone needs not

    record = {
        "suite": sources_hash(_SUITE),
        "files": sorted(judged.files.paths),
        "dimensions": dict(judged.dimensions),
    }
    write_atomically(_path(), json.dumps(record).encode(), _path().parent)


def _path() -> Path:
    return lake_root() / "_gates" / "embeddings.json"
