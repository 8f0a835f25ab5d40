"""Drops an encoder's vectors: from the exams' lake for good, from a lake of nights within its promises."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pyarrow.compute as pc

from recsys_jobs.contracts import lake_lock
from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.settings import load_settings
from recsys_jobs.contracts.tables import CUTS, EMBEDDINGS
from recsys_jobs.embed.registry import HUB_NAMES
from recsys_jobs.lake import delta
from recsys_jobs.operations.storage.listing import Stored, exam_lake, stored


def drop(encoder: str, place: Path | None, confirmed: Callable[[str], bool]) -> None:
    """Drop the vectors of an encoder, of all where it is empty; asks where nights read them, or all go.

    UsageError where the lake has none of that name, JobError where a step of a night is at work.
    """
    place = (place or exam_lake()).absolute()
    gone = matching(stored(place), encoder)
    if not gone:
        known = ", ".join(dict.fromkeys(one.encoder for one in stored(place))) or "it has none"
        raise UsageError(f"{place} has no vectors of {encoder or 'any encoder'}: {known}")
    nights = delta.read(CUTS, columns=["run_date"], lake=place)["run_date"].to_pylist()
    if (nights or not encoder) and not confirmed(_question(gone, nights, place)):
        print("nothing was dropped")
        return
    os.environ["RECSYS_LAKE"] = str(place)  # whose lock and table these are
    with lake_lock.exclusive("dropping vectors") if nights else nullcontext(), delta.writer_lock("embeddings", place):
        delta.remove_rows(EMBEDDINGS, pc.field("encoder").isin([one.encoder for one in gone]), place)
        if not nights:
            _vacuum(place)
    size = sum(one.bytes for one in gone)
    kept = f"; the files go with maintenance, after {load_settings().time_travel_days} days" if nights else ""
    print(f"dropped {sum(one.rows for one in gone):,} vectors of {len(gone)} encoders, {size:,} bytes{kept}")


def matching(found: list[Stored], encoder: str) -> list[Stored]:
    """Return what a name means: an encoder as listed, its part before @, a backbone, a pair of two; empty means all."""
    if not encoder:
        return found
    image, _, text = encoder.partition("_")
    wanted = {"image": image, "text": text} if image in HUB_NAMES and text in HUB_NAMES else {}
    return [
        one
        for one in found
        if encoder == one.encoder or _label(one) in _labels(encoder) or _label(one) in _labels(wanted.get(one.modality))
    ]


def _label(one: Stored) -> str:
    return one.encoder.split("@")[0]


def _labels(name: str | None) -> set[str]:
    """A short name, and the hub's that it stands for."""
    return {name, HUB_NAMES.get(name, name)} if name else set()


def _question(gone: list[Stored], nights: list[object], place: Path) -> str:
    names = ", ".join(one.encoder for one in gone)
    what = f"This drops {sum(one.rows for one in gone):,} vectors of {names} from {place}."
    if nights:
        what += (
            f" {len(nights)} nights, {nights[0]} to {nights[-1]}, may read them: publishing one of these again, why and"
            " recommend fail until its embed step has run again; published slates stand."
        )
    return f"{what} Drop them?"


def _vacuum(place: Path) -> None:
    """Free the disk at once: nobody was promised older versions of the exams' vectors."""
    delta_table = delta.open_table(EMBEDDINGS, place)
    if delta_table is not None:
        delta.vacuum(delta_table, hours=0)
