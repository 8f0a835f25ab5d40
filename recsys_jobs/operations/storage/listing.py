"""Which encoders' vectors a lake holds: from the table's log, reading one vector an encoder alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.settings import lake_root
from recsys_jobs.contracts.tables import EMBEDDINGS
from recsys_jobs.exam.photos import shared_lake
from recsys_jobs.exam.results import aligned
from recsys_jobs.lake import delta


class StoredVectors(NamedTuple):
    """One encoder's vectors in one lake; `bytes` is what its files take now, older versions aside."""

    encoder: str
    modality: str
    dimension: int
    rows: int
    bytes: int


def stored_vectors(lake: Path) -> list[StoredVectors]:
    """Return what a lake holds, by encoder; nothing where it has no table of vectors."""
    delta_table = delta.open_table(EMBEDDINGS, lake)
    if delta_table is None:
        return []
    rows: Counter[str] = Counter()
    size: Counter[str] = Counter()
    for file in pa.table(delta_table.get_add_actions(flatten=True)).to_pylist():
        encoder = file["partition.encoder"]
        rows[encoder] += file["num_records"]
        size[encoder] += file["size_bytes"]
    return [StoredVectors(name, _modality(name), _width(name, lake), rows[name], size[name]) for name in sorted(rows)]


def show(lake: Path | None) -> None:
    """Print what one lake holds, or the nights' and the exams'; UsageError where a named one is none."""
    if lake and not lake.is_dir():
        raise UsageError(f"no folder {lake}: name a lake's folder")
    lines = [["encoder", "modality", "dimension", "rows", "bytes", "lake"]]
    for folder in [lake.absolute()] if lake else [lake_root(), shared_lake()]:
        for stored in stored_vectors(folder):
            numbers = (f"{number:,}" for number in stored[2:])
            lines.append([stored.encoder, stored.modality, *numbers, str(folder)])
    print("\n".join(aligned(lines)) if len(lines) > 1 else "no vectors are stored")


def _modality(encoder: str) -> str:
    """Return text or image: the name ends in the preprocessing, which is of one or the other."""
    return "text" if any(part.startswith("clean") for part in encoder.split("/")) else "image"


def _width(encoder: str, lake: Path) -> int:
    scanner = delta.scan(EMBEDDINGS, lake).scanner(columns=["vector"], filter=pc.field("encoder") == encoder)
    vectors = scanner.head(1)["vector"]
    return len(vectors[0]) if len(vectors) else 0
