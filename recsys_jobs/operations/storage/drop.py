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
from recsys_jobs.exam.photos import shared_lake
from recsys_jobs.lake import delta
from recsys_jobs.operations.storage.listing import StoredVectors, stored_vectors


def drop(encoder: str, lake: Path | None, confirmed: Callable[[str], bool]) -> None:
    """Drop the vectors of an encoder, of all where it is empty; asks where nights read them, or all go.

    UsageError where the lake has none of that name, JobError where a step of a night is at work.
    """
    lake = (lake or shared_lake()).absolute()
    vectors = matching(stored_vectors(lake), encoder)
    if not vectors:
        known = ", ".join(dict.fromkeys(stored.encoder for stored in stored_vectors(lake))) or "it has none"
        raise UsageError(f"{lake} has no vectors of {encoder or 'any encoder'}: {known}")
    nights = delta.read(CUTS, columns=["run_date"], lake=lake)["run_date"].to_pylist()
    if (nights or not encoder) and not confirmed(_confirmation(vectors, nights, lake)):
        print("nothing was dropped")
        return
    os.environ["RECSYS_LAKE"] = str(lake)  # whose lock and table these are
    with lake_lock.exclusive("dropping vectors") if nights else nullcontext(), delta.writer_lock("embeddings", lake):
        dropped = pc.field("encoder").isin([stored.encoder for stored in vectors])
        delta.remove_rows(EMBEDDINGS, dropped, lake)
        if not nights:
            _vacuum(lake)
    rows, size = sum(stored.rows for stored in vectors), sum(stored.bytes for stored in vectors)
    later = f"; the files go with maintenance, after {load_settings().time_travel_days} days" if nights else ""
    print(f"dropped {rows:,} vectors of {len(vectors)} encoders, {size:,} bytes{later}")


def matching(vectors: list[StoredVectors], encoder: str) -> list[StoredVectors]:
    """Return the vectors that a name means: an encoder as listed, its part before @, a backbone, a pair of two.

    An empty name means all.
    """
    if not encoder:
        return vectors
    image, _, text = encoder.partition("_")
    pair = {"image": image, "text": text} if image in HUB_NAMES and text in HUB_NAMES else {}
    return [stored for stored in vectors if _matches(stored, encoder, pair.get(stored.modality))]


def _matches(stored: StoredVectors, encoder: str, of_pair: str | None) -> bool:
    """Return whether stored vectors are an encoder's, or those of its modality's part of a pair."""
    label = stored.encoder.split("@")[0]
    return encoder == stored.encoder or label in _labels(encoder) or label in _labels(of_pair)


def _labels(name: str | None) -> set[str]:
    """Return a short name, and the hub's name that it stands for."""
    return {name, HUB_NAMES.get(name, name)} if name else set()


def _confirmation(vectors: list[StoredVectors], nights: list[object], lake: Path) -> str:
    names = ", ".join(stored.encoder for stored in vectors)
    question = f"This drops {sum(stored.rows for stored in vectors):,} vectors of {names} from {lake}."
    if nights:
        question += (
            f" {len(nights)} nights, {nights[0]} to {nights[-1]}, may read them: publishing one of these again, why and"
            " recommend fail until its embed step has run again; published slates stand."
        )
    return f"{question} Drop them?"


def _vacuum(lake: Path) -> None:
    """Free the disk at once: nobody was promised older versions of the exams' vectors."""
    delta_table = delta.open_table(EMBEDDINGS, lake)
    if delta_table is not None:
        delta.vacuum(delta_table, hours=0)
