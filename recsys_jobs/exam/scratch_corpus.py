"""The corpus of encoders from scratch in an exam: every item's own text and photo, and train's reviews.

I items, E events.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from recsys_jobs.contracts.settings import Settings, var_dir
from recsys_jobs.data.readers.raw import RawData
from recsys_jobs.data.split_protocols import TRAIN, Parts
from recsys_jobs.embed.from_scratch.corpus import Corpus, make_corpus
from recsys_jobs.embed.from_scratch.encoders import encoders_of_corpus
from recsys_jobs.embed.from_scratch.sizes import ENCODER_SIZES
from recsys_jobs.exam.photos import store_photo
from recsys_jobs.images.outcome import NoImage


def with_encoders(raw: RawData, part_E: Parts, settings: Settings) -> Settings:
    """Return settings with encoders from scratch made for this division of the data, where they name any."""
    if not {settings.text_encoder, settings.image_encoder} & set(ENCODER_SIZES):
        return settings
    return encoders_of_corpus(settings, raw_corpus(raw, part_E, settings), var_dir() / "exams" / "encoders")


def raw_corpus(raw: RawData, part_E: Parts, settings: Settings) -> Corpus:
    """Return texts and photos of the data set; reviews of validation and test stay out."""
    texts = {_hash(item.text): item.text for item in raw.metadata_I if item.text.strip()}
    pairs = set()
    for event in np.flatnonzero(part_E == TRAIN) if raw.review_E else []:
        review = raw.review_E[event]
        item = raw.metadata_I[raw.events.item_E[event]]
        if review.strip():
            texts[_hash(review)] = review
            pairs.add((_hash(item.text), _hash(review)))
    photos = []
    for item in raw.metadata_I:
        path = _stored_photo(item.image, raw, settings) if item.image else None
        if path:
            photos.append((_hash(str(item.image)), path.read_bytes, _hash(item.text)))
    return make_corpus(texts, sorted(pairs), photos)


def _stored_photo(photo: Path, raw: RawData, settings: Settings) -> Path | None:
    try:
        return store_photo(photo, raw, settings)
    except NoImage:
        return None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
