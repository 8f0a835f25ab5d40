"""Embeds the contents that one night needs and that have no vector yet."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import numpy as np
from tqdm import tqdm

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import Settings, load_settings
from recsys_jobs.contracts.tables import EMBEDDINGS
from recsys_jobs.embed import needed
from recsys_jobs.embed.from_scratch.sizes import ENCODER_SIZES
from recsys_jobs.embed.registry import encoder_name
from recsys_jobs.embed.static.names import parse_static
from recsys_jobs.embed.store import VectorWriter
from recsys_jobs.lake import delta

CHUNK = {"text": 2048, "image": 512}  # contents that an encoder is given at once

log = logging.getLogger(__name__)

Encode = Callable[[list[Any]], np.ndarray]  # N raw contents -> vectors [N, D]


@dataclass(frozen=True)
class Counts:
    """What one run counted: needed = known + encoded."""

    needed: int
    known: int
    encoded: int
    seconds: float


def run(run_date: date, modality: str) -> Counts:
    """Make the night's vectors of one modality, `text` or `image`, complete in `embeddings`.

    A job that was killed goes on from its last commit (see `store`). A night whose vectors are all there does not
    load the model.
    """
    start = time.monotonic()
    settings = load_settings()
    encoder = ""
    missing_count = 0
    seen = delta.files(EMBEDDINGS)  # before the tables are opened: nothing may be committed unseen in between
    with needed.open_tables() as tables:
        needed_count = needed.count_needed(tables, run_date, modality, settings)
        if needed_count:
            settings = _with_encoder(settings, modality, needed.exam_cut(tables, run_date))
            encoder = encoder_name(settings, modality)
            missing_count = needed.count_missing(tables, encoder)
        if missing_count:
            chunks = _missing_chunks(tables, run_date, modality)
            progress = tqdm(total=missing_count, desc=modality, unit=modality)
            encode_all(chunks, load_encoder(settings, modality), VectorWriter(encoder, seen), progress)
    counts = Counts(needed_count, needed_count - missing_count, missing_count, time.monotonic() - start)
    _log_counts(counts, modality, encoder)
    return counts


def _missing_chunks(
    tables: duckdb.DuckDBPyConnection, run_date: date, modality: str
) -> Iterator[tuple[list[str], list[Any]]]:
    if modality == "text":
        return needed.missing_texts(tables, CHUNK["text"])
    return needed.missing_images(tables, run_date, CHUNK["image"])


def _with_encoder(settings: Settings, modality: str, cut: date) -> Settings:
    """The settings with the night's encoder of this modality named, should it be one from scratch."""
    if getattr(settings, f"{modality}_encoder") not in ENCODER_SIZES:
        return settings
    from recsys_jobs.embed.from_scratch.encoders import encoders_of_cut

    return encoders_of_cut(settings, cut, (modality,))


def encode_all(
    chunks: Iterator[tuple[list[str], list[Any]]],
    encode: Encode,
    writer: VectorWriter,
    progress: tqdm,
) -> None:
    """Encode chunks of hashes and contents, committing when that is due; JobError where a vector is not finite."""
    with progress:
        for hashes, contents in chunks:
            vectors_ND = encode(contents)
            _refuse_not_finite(writer.encoder, hashes, vectors_ND)
            writer.add(hashes, vectors_ND)
            if writer.is_due():
                writer.commit()
            progress.update(len(hashes))
        writer.commit()


def _refuse_not_finite(encoder: str, hashes: list[str], vectors_ND: np.ndarray) -> None:
    is_finite_N = np.isfinite(vectors_ND).all(axis=1)
    if not is_finite_N.all():
        bad_hash = hashes[int(np.argmin(is_finite_N))]
        raise JobError(f"{encoder} gives content {bad_hash} a vector that is not finite: use precision float32")


def load_encoder(settings: Settings, modality: str) -> Encode:
    """The encoder that the settings name; torch is imported here, so that a night with nothing new does without."""
    from recsys_jobs.torch_common.devices import use_all_cores

    use_all_cores()
    if modality == "text" and parse_static(settings.text_encoder):
        from recsys_jobs.embed.static.encoder import encode_texts as encode_static
        from recsys_jobs.embed.static.encoder import load_static_encoder

        static_encoder = load_static_encoder(settings)
        return lambda texts: encode_static(static_encoder, texts)
    if modality == "text":
        from recsys_jobs.embed.text import encode_texts, load_text_encoder

        text_encoder = load_text_encoder(settings)
        return lambda texts: encode_texts(text_encoder, texts)
    from recsys_jobs.embed.image import encode_images, load_image_encoder

    image_encoder = load_image_encoder(settings)
    return lambda blobs: encode_images(image_encoder, blobs)


def _log_counts(counts: Counts, modality: str, encoder: str) -> None:
    pace = f"{counts.encoded / counts.seconds:,.0f}/s" if counts.encoded else "nothing new"
    log.info(
        f"{modality}: needed {counts.needed:,}, known {counts.known:,}, "
        f"encoded {counts.encoded:,} in {counts.seconds:.1f} s ({pace}) by {encoder or 'none'}"
    )
