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

from recsys_jobs import lake
from recsys_jobs.dataset import Bools, Floats, Ints
from recsys_jobs.embed import store
from recsys_jobs.embed.job import CHUNK, encode_all, load_encoder
from recsys_jobs.embed.registry import encoder_name
from recsys_jobs.exam_data.raw import RawData
from recsys_jobs.images.outcome import NoImage
from recsys_jobs.images.validate import normalise
from recsys_jobs.settings import Settings, var_dir
from recsys_jobs.tables import EMBEDDINGS

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
    place = raw.folder if raw.layout == "lake" else var_dir() / "exams" / "lake"
    texts = [item.text for item in raw.about_I]
    reviews = [raw.review_E[event] if wanted_E[event] else "" for event in range(len(raw.review_E))]
    row_N, vector_RT = _texts([*texts, *reviews], place, settings, force, tell)
    text_row_I = row_N[: len(texts)]
    review_row_E = row_N[len(texts) :] if reviews else np.full(len(raw.events.user_E), -1)
    used, review_E = np.unique(review_row_E[review_row_E >= 0], return_inverse=True)
    image_IV, image_present_I = _images(raw, place, settings, force, tell)
    return Contents(
        text_IT=_spread(text_row_I, vector_RT),
        text_present_I=text_row_I >= 0,
        from_reviews_I=np.array([not item.described for item in raw.about_I], np.bool_),
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
    missing = _missing("text", distinct, place, settings, force)
    _encode(
        "text",
        ((part, [by_hash[one] for one in part]) for part in _chunks(missing, "text")),
        len(missing),
        place,
        settings,
    )
    tell(Counted("text", encoder_name(settings, "text"), len(missing), len(distinct) - len(missing)))
    row = {content: number for number, content in enumerate(distinct)}
    return np.array([row.get(content, -1) for content in hashes], np.int64), _load("text", distinct, place, settings)


def _images(raw: RawData, place: Path, settings: Settings, force: bool, tell: Told) -> tuple[Floats, Bools]:
    """Return a vector an item, zeros where there is no photo that can be read, and where there is one."""
    paths = [item.image for item in raw.about_I]
    hashes = ["" if path is None else _file_hash(path) for path in paths]
    by_hash = {content: path for content, path in zip(hashes, paths, strict=True) if content and path}
    missing = _missing("image", sorted(by_hash), place, settings, force)
    readable = _readable(missing, by_hash, settings)
    chunks = ((part, [by_hash[one].read_bytes() for one in part]) for part in _chunks(readable, "image"))
    _encode("image", chunks, len(readable), place, settings)
    broken = set(missing) - set(readable)
    if by_hash:
        reused = len(by_hash) - len(missing)
        tell(Counted("image", encoder_name(settings, "image"), len(readable), reused, len(broken)))
    distinct = sorted(set(by_hash) - broken)
    row = {content: number for number, content in enumerate(distinct)}
    row_I = np.array([row.get(content, -1) for content in hashes], np.int64)
    return _spread(row_I, _load("image", distinct, place, settings)), row_I >= 0


def _readable(missing: list[str], by_hash: dict[str, Path], settings: Settings) -> list[str]:
    """Return what decodes; the rest counts as no photo, and is told."""
    kept, wrong = [], []
    for content in missing:
        try:
            normalise(by_hash[content].read_bytes(), settings.image_side, settings.image_max_pixels)
            kept.append(content)
        except NoImage as error:
            wrong.append(f"{by_hash[content]} ({error})")
    if wrong:
        log.warning("%d photos cannot be read and count as none: %s", len(wrong), ", ".join(wrong[:3]))
    return kept


def _file_hash(path: Path) -> str:
    """The sha256 of a file; empty where there is none, as for an image that a lake no longer has."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _missing(modality: str, hashes: list[str], place: Path, settings: Settings, force: bool) -> list[str]:
    """Return which contents have no vector; all of them, their vectors dropped, with `force`."""
    if force and hashes:
        ours = (pc.field("encoder") == encoder_name(settings, modality)) & pc.field("content_hash").isin(hashes)
        with lake.alone("embeddings", place):
            lake.remove_rows(EMBEDDINGS, ours, place)
    known = store.known_hashes(encoder_name(settings, modality), hashes, place) if hashes else set()
    return [content for content in hashes if content not in known]


def _encode(
    modality: str, chunks: Iterator[tuple[list[str], list[Any]]], total: int, place: Path, settings: Settings
) -> None:
    if total:
        progress = tqdm(total=total, desc=modality, unit=modality)
        encode: Callable[[list[Any]], np.ndarray] = load_encoder(settings, modality)
        encode_all(chunks, encode, encoder_name(settings, modality), progress, place)


def _chunks(hashes: list[str], modality: str) -> Iterator[list[str]]:
    return (hashes[start : start + CHUNK[modality]] for start in range(0, len(hashes), CHUNK[modality]))


def _load(modality: str, hashes: list[str], place: Path, settings: Settings) -> Floats:
    if not hashes:
        return np.zeros((0, 0), np.float32)
    return store.load_vectors(encoder_name(settings, modality), hashes, place)


def _spread(row_I: Ints, vector_RD: Floats) -> Floats:
    spread_ID = np.zeros((len(row_I), vector_RD.shape[1]), np.float32)
    spread_ID[row_I >= 0] = vector_RD[row_I[row_I >= 0]]
    return spread_ID


def _filled(row_E: Ints, found_N: Ints) -> Ints:
    """Return `found_N` in place of what is a row of something, and -1 elsewhere."""
    filled_E = np.full(len(row_E), -1, np.int64)
    filled_E[row_E >= 0] = found_N
    return filled_E
