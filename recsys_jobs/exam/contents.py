"""The contents of a data set as vectors, each encoded once: the encoders and the store are the pipeline's.

A lake's own `embeddings` serve a lake; all other data sets share one under `var/exams/lake`.
I items, E events, R reviews, T text width, V image width, N texts, C distinct ones.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.compute as pc
from tqdm import tqdm

from recsys_jobs.contracts.settings import Settings
from recsys_jobs.contracts.tables import EMBEDDINGS
from recsys_jobs.data.dataset import Bools, Floats, Ints
from recsys_jobs.data.readers.raw import RawData
from recsys_jobs.data.scatter import scatter_rows
from recsys_jobs.embed import store
from recsys_jobs.embed.job import CHUNK, encode_all, load_encoder
from recsys_jobs.embed.registry import encoder_name
from recsys_jobs.embed.store import VectorWriter
from recsys_jobs.exam.photos import TAKEN_IN, store_photo, vectors_lake
from recsys_jobs.images.outcome import NoImage
from recsys_jobs.lake import delta

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Contents:
    """Vectors of item texts, images and the needed reviews; `review_E` is the event's row of `review_RT`, or -1."""

    text_IT: Floats
    text_present_I: Bools
    from_reviews_I: Bools
    image_IV: Floats
    image_present_I: Bools
    review_E: Ints
    review_RT: Floats


class EncodingCounts(NamedTuple):
    """How many distinct contents of a modality were encoded, had a vector already, or could not be read."""

    modality: str
    encoder: str
    encoded: int
    reused: int
    broken: int = 0


ReportCounts = Callable[[EncodingCounts], None]


def load_contents(
    raw: RawData, needed_E: Bools, settings: Settings, *, force: bool = False, report: ReportCounts | None = None
) -> Contents:
    """Return the contents of a data set, encoding those without a vector; `needed_E` says whose reviews count.

    With `force` contents that have a vector are encoded again; `report` is called with each modality's counts.
    """
    report = report or (lambda counts: None)
    lake = vectors_lake(raw)
    texts = [item.text for item in raw.metadata_I]
    reviews = [raw.review_E[event] if needed_E[event] else "" for event in range(len(raw.review_E))]
    row_N, vector_CT = _text_vectors([*texts, *reviews], lake, settings, force, report)
    text_row_I = row_N[: len(texts)]
    review_row_E = row_N[len(texts) :] if reviews else np.full(len(raw.events.user_E), -1)
    rows = review_row_E[review_row_E >= 0]
    row_R, review_row = np.unique(rows, return_inverse=True)
    image_IV, image_present_I = _image_vectors(raw, lake, settings, force, report)
    return Contents(
        text_IT=scatter_rows(text_row_I, vector_CT),
        text_present_I=text_row_I >= 0,
        from_reviews_I=np.array([not item.described for item in raw.metadata_I], np.bool_),
        image_IV=image_IV,
        image_present_I=image_present_I,
        review_E=_fill_rows(review_row_E, review_row),
        review_RT=vector_CT[row_R],
    )


def _text_vectors(
    texts: list[str], lake: Path, settings: Settings, force: bool, report: ReportCounts
) -> tuple[Ints, Floats]:
    """Return each text's row among the vectors, -1 for a blank one, and the vectors of the distinct texts."""
    hashes = [hashlib.sha256(text.encode()).hexdigest() if text.strip() else "" for text in texts]
    by_hash = {content: text for content, text in zip(hashes, texts, strict=True) if content}
    distinct = sorted(by_hash)
    encoder = encoder_name(settings, "text")
    writer = VectorWriter(encoder, delta.files(EMBEDDINGS, lake), lake)
    missing = _hashes_to_encode(encoder, distinct, lake, force)
    chunks = ((part, [by_hash[content] for content in part]) for part in _chunks(missing, "text"))
    _encode("text", writer, chunks, len(missing), settings)
    report(EncodingCounts("text", encoder, len(missing), len(distinct) - len(missing)))
    return _rows(hashes, distinct), _load(encoder, distinct, lake)


def _image_vectors(
    raw: RawData, lake: Path, settings: Settings, force: bool, report: ReportCounts
) -> tuple[Floats, Bools]:
    """Return a vector an item, zeros where there is no photo that can be read, and where there is one."""
    encoder = encoder_name(settings, "image") + ("" if raw.layout == "lake" else f"/{TAKEN_IN}")
    writer = VectorWriter(encoder, delta.files(EMBEDDINGS, lake), lake)
    paths = [item.image for item in raw.metadata_I]
    hashes = ["" if path is None else _file_hash(path) for path in paths]
    by_hash = {content: path for content, path in zip(hashes, paths, strict=True) if content and path}
    missing = _hashes_to_encode(encoder, sorted(by_hash), lake, force)
    stored = _store_photos(missing, by_hash, raw, settings)
    chunks = ((part, [stored[content].read_bytes() for content in part]) for part in _chunks(list(stored), "image"))
    _encode("image", writer, chunks, len(stored), settings)
    broken = set(missing) - set(stored)
    if by_hash:
        reused = len(by_hash) - len(missing)
        report(EncodingCounts("image", encoder, len(stored), reused, len(broken)))
    distinct = sorted(set(by_hash) - broken)
    row_I = _rows(hashes, distinct)
    return scatter_rows(row_I, _load(encoder, distinct, lake)), row_I >= 0


def _store_photos(missing: list[str], by_hash: dict[str, Path], raw: RawData, settings: Settings) -> dict[str, Path]:
    """Return the stored picture of each photo that can be read; the others count as none, and a warning names them."""
    stored: dict[str, Path] = {}
    wrong: list[str] = []
    for content in missing:
        try:
            stored[content] = store_photo(by_hash[content], raw, settings)
        except NoImage as error:
            wrong.append(f"{by_hash[content]} ({error})")
    if wrong:
        log.warning("%d photos cannot be read and count as none: %s", len(wrong), ", ".join(wrong[:3]))
    return stored


def _file_hash(path: Path) -> str:
    """Return the sha256 of a file; empty where there is none, as for an image that a lake no longer has."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _hashes_to_encode(encoder: str, hashes: list[str], lake: Path, force: bool) -> list[str]:
    """Return the contents without a vector; with `force` all of them, their vectors dropped."""
    if force and hashes:
        stale = (pc.field("encoder") == encoder) & pc.field("content_hash").isin(hashes)
        with delta.writer_lock("embeddings", lake):
            delta.remove_rows(EMBEDDINGS, stale, lake)
    known = store.known_hashes(encoder, hashes, lake) if hashes else set()
    return [content for content in hashes if content not in known]


def _encode(
    modality: str,
    writer: VectorWriter,
    chunks: Iterator[tuple[list[str], list[Any]]],
    total: int,
    settings: Settings,
) -> None:
    if total:
        progress = tqdm(total=total, desc=modality, unit=modality)
        encode: Callable[[list[Any]], np.ndarray] = load_encoder(settings, modality)
        encode_all(chunks, encode, writer, progress)


def _chunks(hashes: list[str], modality: str) -> Iterator[list[str]]:
    return (hashes[start : start + CHUNK[modality]] for start in range(0, len(hashes), CHUNK[modality]))


def _load(encoder: str, hashes: list[str], lake: Path) -> Floats:
    if not hashes:
        return np.zeros((0, 0), np.float32)
    return store.load_vectors(encoder, hashes, lake)


def _rows(hashes: list[str], distinct: list[str]) -> Ints:
    """Return the place of each hash among the distinct ones, -1 where it is none of them."""
    row = {content: place for place, content in enumerate(distinct)}
    return np.array([row.get(content, -1) for content in hashes], np.int64)


def _fill_rows(row_E: Ints, rows: Ints) -> Ints:
    """Return the new rows in the place of those from 0 up, and -1 elsewhere [E]."""
    filled_E = np.full(len(row_E), -1, np.int64)
    filled_E[row_E >= 0] = rows
    return filled_E
