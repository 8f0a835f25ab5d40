"""The contents of a data set as vectors, each encoded once: the encoders and the store are the pipeline's.

A lake's own `embeddings` serve a lake; all other data sets share one under `var/exams/lake`.
I items, E events, R reviews, T text width, V image width.
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
from recsys_jobs.embed import store
from recsys_jobs.embed.job import CHUNK, encode_all, load_encoder
from recsys_jobs.embed.registry import encoder_name
from recsys_jobs.exam.photos import TAKEN_IN, exam_lake, take_in
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


class Counted(NamedTuple):
    """How many distinct contents of a modality were encoded, had a vector, could not be read."""

    modality: str
    encoder: str
    encoded: int
    reused: int
    broken: int = 0


Told = Callable[[Counted], None]


def load_contents(
    raw: RawData, wanted_E: Bools, settings: Settings, *, force: bool = False, told: Told | None = None
) -> Contents:
    """Return the contents of a data set, encoding what nobody encoded before; `wanted_E` says whose reviews count.

    With `force` what has a vector is encoded again; `told` is given each modality's counts.
    """
    tell = told or (lambda counted: None)
    place = exam_lake(raw)
    texts = [item.text for item in raw.metadata_I]
    reviews = [raw.review_E[event] if wanted_E[event] else "" for event in range(len(raw.review_E))]
    row_N, vector_RT = _texts([*texts, *reviews], place, settings, force, tell)
    text_row_I = row_N[: len(texts)]
    review_row_E = row_N[len(texts) :] if reviews else np.full(len(raw.events.user_E), -1)
    used, review_E = np.unique(review_row_E[review_row_E >= 0], return_inverse=True)
    image_IV, image_present_I = _images(raw, place, settings, force, tell)
    return Contents(
        text_IT=_spread(text_row_I, vector_RT),
        text_present_I=text_row_I >= 0,
        from_reviews_I=np.array([not item.described for item in raw.metadata_I], np.bool_),
        image_IV=image_IV,
        image_present_I=image_present_I,
        review_E=_filled(review_row_E, review_E),
        review_RT=vector_RT[used],
    )


def _texts(texts: list[str], place: Path, settings: Settings, force: bool, tell: Told) -> tuple[Ints, Floats]:
    """Return each text's row among the vectors, -1 for a blank one, and the vectors of the distinct texts."""
    hashes = [hashlib.sha256(text.encode()).hexdigest() if text.strip() else "" for text in texts]
    by_hash = {content: text for content, text in zip(hashes, texts, strict=True) if content}
    distinct = sorted(by_hash)
    encoder = encoder_name(settings, "text")
    missing = _missing(encoder, distinct, place, force)
    chunks = ((part, [by_hash[content] for content in part]) for part in _chunks(missing, "text"))
    _encode("text", encoder, chunks, len(missing), place, settings)
    tell(Counted("text", encoder, len(missing), len(distinct) - len(missing)))
    row = {content: number for number, content in enumerate(distinct)}
    return np.array([row.get(content, -1) for content in hashes], np.int64), _load(encoder, distinct, place)


def _images(raw: RawData, place: Path, settings: Settings, force: bool, tell: Told) -> tuple[Floats, Bools]:
    """Return a vector an item, zeros where there is no photo that can be read, and where there is one."""
    encoder = encoder_name(settings, "image") + ("" if raw.layout == "lake" else f"/{TAKEN_IN}")
    paths = [item.image for item in raw.metadata_I]
    hashes = ["" if path is None else _file_hash(path) for path in paths]
    by_hash = {content: path for content, path in zip(hashes, paths, strict=True) if content and path}
    missing = _missing(encoder, sorted(by_hash), place, force)
    stored = _stored(missing, by_hash, raw, settings)
    chunks = ((part, [stored[content].read_bytes() for content in part]) for part in _chunks(list(stored), "image"))
    _encode("image", encoder, chunks, len(stored), place, settings)
    broken = set(missing) - set(stored)
    if by_hash:
        reused = len(by_hash) - len(missing)
        tell(Counted("image", encoder, len(stored), reused, len(broken)))
    distinct = sorted(set(by_hash) - broken)
    row = {content: number for number, content in enumerate(distinct)}
    row_I = np.array([row.get(content, -1) for content in hashes], np.int64)
    return _spread(row_I, _load(encoder, distinct, place)), row_I >= 0


def _stored(missing: list[str], by_hash: dict[str, Path], raw: RawData, settings: Settings) -> dict[str, Path]:
    """Return the stored picture of each photo that is one; the rest counts as no photo, and is told."""
    stored, wrong = {}, []
    for content in missing:
        try:
            stored[content] = take_in(by_hash[content], raw, settings)
        except NoImage as error:
            wrong.append(f"{by_hash[content]} ({error})")
    if wrong:
        log.warning("%d photos cannot be read and count as none: %s", len(wrong), ", ".join(wrong[:3]))
    return stored


def _file_hash(path: Path) -> str:
    """The sha256 of a file; empty where there is none, as for an image that a lake no longer has."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _missing(encoder: str, hashes: list[str], place: Path, force: bool) -> list[str]:
    """Return which contents have no vector; all of them, their vectors dropped, with `force`."""
    if force and hashes:
        ours = (pc.field("encoder") == encoder) & pc.field("content_hash").isin(hashes)
        with delta.alone("embeddings", place):
            delta.remove_rows(EMBEDDINGS, ours, place)
    known = store.known_hashes(encoder, hashes, place) if hashes else set()
    return [content for content in hashes if content not in known]


def _encode(
    modality: str,
    encoder: str,
    chunks: Iterator[tuple[list[str], list[Any]]],
    total: int,
    place: Path,
    settings: Settings,
) -> None:
    if total:
        progress = tqdm(total=total, desc=modality, unit=modality)
        encode: Callable[[list[Any]], np.ndarray] = load_encoder(settings, modality)
        encode_all(chunks, encode, encoder, progress, place)


def _chunks(hashes: list[str], modality: str) -> Iterator[list[str]]:
    return (hashes[start : start + CHUNK[modality]] for start in range(0, len(hashes), CHUNK[modality]))


def _load(encoder: str, hashes: list[str], place: Path) -> Floats:
    if not hashes:
        return np.zeros((0, 0), np.float32)
    return store.load_vectors(encoder, hashes, place)


def _spread(row_I: Ints, vector_RD: Floats) -> Floats:
    spread_ID = np.zeros((len(row_I), vector_RD.shape[1]), np.float32)
    spread_ID[row_I >= 0] = vector_RD[row_I[row_I >= 0]]
    return spread_ID


def _filled(row_E: Ints, found_N: Ints) -> Ints:
    """Return `found_N` in place of what is a row of something, and -1 elsewhere."""
    filled_E = np.full(len(row_E), -1, np.int64)
    filled_E[row_E >= 0] = found_N
    return filled_E
