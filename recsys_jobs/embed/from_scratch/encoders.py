"""Finds the encoders from scratch that a cut may use, or makes them, and names them to the rest as local folders.

An encoder's folder is named by everything that decides its weights, so that every night of its period finds it
again, and a changed corpus makes a new one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.settings import Settings, lake_root
from recsys_jobs.contracts.source_hash import sources_hash
from recsys_jobs.embed.from_scratch.boundary import latest_boundary
from recsys_jobs.embed.from_scratch.corpus import Corpus, lake_corpus
from recsys_jobs.embed.from_scratch.photos import save_processor, train_image_encoder
from recsys_jobs.embed.from_scratch.sizes import ENCODER_SIZES, Size, get_size
from recsys_jobs.embed.from_scratch.text import train_text_encoder
from recsys_jobs.embed.from_scratch.wordpiece import train_tokenizer
from recsys_jobs.embed.make_once import make_once
from recsys_jobs.embed.registry import MODALITIES, mark_raw
from recsys_jobs.torch_common.devices import choose_device

_PINS = ("torch", "transformers", "tokenizers", "pillow")
_RAW_KINDS = {"text": "tokens", "image": "pixels"}  # encoders that leave contents raw, by modality
log = logging.getLogger(__name__)


def encoders_of_cut(settings: Settings, cut: date, modalities: tuple[str, ...] = MODALITIES) -> Settings:
    """Return settings whose encoders from scratch are named by their folders: those of the cut's latest boundary.

    A night's two cuts share the encoders of the earlier one. Other settings come back as they are.
    """
    sizes = _sizes(settings, modalities)
    if not sizes:
        return settings
    boundary = latest_boundary(cut, settings.encoder_months)
    max_texts = max(size.max_texts for size in sizes.values())
    max_photos = max(size.max_photos for size in sizes.values())
    corpus = lake_corpus(boundary, max_texts, max_photos)
    log.info("encoders of %s: %d texts, %d photos before it", boundary, len(corpus.texts), len(corpus.photos))
    return encoders_of_corpus(settings, corpus, lake_root() / "encoders" / str(boundary), modalities)


def encoders_of_corpus(
    settings: Settings, corpus: Corpus, root: Path, modalities: tuple[str, ...] = MODALITIES
) -> Settings:
    """Return settings whose encoders from scratch are folders in `root`, trained on the corpus where need be.

    Without photos an image encoder keeps its name, which nothing can load: then there is nothing to encode either.
    """
    folders: dict[str, Any] = {}
    for modality, size in _sizes(settings, modalities).items():
        name = f"{modality}_encoder"
        if getattr(settings, name).startswith(_RAW_KINDS[modality]):
            folders[name] = str(_raw_encoder(modality, corpus, size, root))
        elif modality == "text":
            folders[name] = str(_text_encoder(corpus, size, root, settings.seed))
        elif corpus.photos:
            text_encoder = _text_encoder(corpus, size, root, settings.seed)
            folders[name] = str(_image_encoder(corpus, size, text_encoder, root, settings.seed))
    return dataclasses.replace(settings, **folders)


def _sizes(settings: Settings, modalities: tuple[str, ...]) -> dict[str, Size]:
    """The sizes of the encoders that are from scratch, by modality."""
    names = {modality: getattr(settings, f"{modality}_encoder") for modality in modalities}
    for modality, name in names.items():
        if other := next((m for m in MODALITIES if m != modality and name.startswith(_RAW_KINDS[m])), ""):
            raise UsageError(f"{modality}_encoder is {name!r}, which is for {other}s: name another")
    return {modality: get_size(name) for modality, name in names.items() if name in ENCODER_SIZES}


def _raw_encoder(modality: str, corpus: Corpus, size: Size, root: Path) -> Path:
    """The folder of an encoder that leaves contents raw: token ids, or the pixels that the model reads."""
    inputs = (
        [corpus.identity(photos=False), sources_hash("recsys_jobs.embed.from_scratch.wordpiece")]
        if modality == "text"
        else []
    )

    def make(folder: Path) -> None:
        if modality == "text":
            train_tokenizer(corpus.texts, size.vocabulary, size.text_length, folder)
        else:
            save_processor(folder, size.image_side)
        mark_raw(folder, size.text_length if modality == "text" else 3 * size.image_side**2)

    return make_once(root / f"{size.name}-{_RAW_KINDS[modality]}-{_digest(inputs, size, 0)}", make)


def _text_encoder(corpus: Corpus, size: Size, root: Path, seed: int) -> Path:
    inputs = [corpus.identity(photos=False), sources_hash("recsys_jobs.embed.from_scratch.text")]
    return make_once(
        root / f"{size.name}-text-{_digest(inputs, size, seed)}",
        lambda folder: train_text_encoder(corpus, size, folder, seed, choose_device()),
    )


def _image_encoder(corpus: Corpus, size: Size, text_encoder: Path, root: Path, seed: int) -> Path:
    inputs = [corpus.identity(photos=True), text_encoder.name, sources_hash("recsys_jobs.embed.from_scratch.photos")]
    return make_once(
        root / f"{size.name}-image-{_digest(inputs, size, seed)}",
        lambda folder: train_image_encoder(corpus, size, text_encoder, folder, seed, choose_device()),
    )


def _digest(inputs: list[str], size: Size, seed: int) -> str:
    identity = [*inputs, dataclasses.asdict(size), seed, {name: version(name) for name in _PINS}]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]
