"""Which encoders' vectors a lake holds: from the table's log, without reading a vector but one."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.settings import lake_root, var_dir
from recsys_jobs.contracts.tables import EMBEDDINGS
from recsys_jobs.exam.results import aligned
from recsys_jobs.lake import delta


class Stored(NamedTuple):
    """One encoder's vectors in one lake; `bytes` is what its files take now, older versions aside."""

    encoder: str
    modality: str
    dimension: int
    rows: int
    bytes: int


def exam_lake() -> Path:
    """The lake that all data sets of the exam share."""
    return var_dir() / "exams" / "lake"


def stored(place: Path) -> list[Stored]:
    """Return what a lake holds, by encoder; nothing where it has no table of vectors."""
    delta_table = delta.open_table(EMBEDDINGS, place)
    if delta_table is None:
        return []
    rows: dict[str, int] = {}
    size: dict[str, int] = {}
    for file in pa.table(delta_table.get_add_actions(flatten=True)).to_pylist():
        encoder = file["partition.encoder"]
        rows[encoder] = rows.get(encoder, 0) + file["num_records"]
        size[encoder] = size.get(encoder, 0) + file["size_bytes"]
    return [Stored(name, _modality(name), _width(name, place), rows[name], size[name]) for name in sorted(rows)]


def show(place: Path | None) -> None:
    """Print what one lake holds, or the nights' and the exams'; UsageError where a named one is none."""
    if place and not place.is_dir():
        raise UsageError(f"no folder {place}: name a lake's folder")
    lines = [["encoder", "modality", "dimension", "rows", "bytes", "lake"]]
    for one in [place.absolute()] if place else [lake_root(), exam_lake()]:
        for found in stored(one):
            numbers = (f"{number:,}" for number in found[2:])
            lines.append([found.encoder, found.modality, *numbers, str(one)])
    print("\n".join(aligned(lines)) if len(lines) > 1 else "no vectors are stored")


def _modality(encoder: str) -> str:
    """Text or image, as the preprocessing that the name tells is of."""
    return "text" if any(part.startswith("clean") for part in encoder.split("/")) else "image"


def _width(encoder: str, place: Path) -> int:
    scanner = delta.scan(EMBEDDINGS, place).scanner(columns=["vector"], filter=pc.field("encoder") == encoder)
    first = scanner.head(1)["vector"]
    return len(first[0]) if len(first) else 0
