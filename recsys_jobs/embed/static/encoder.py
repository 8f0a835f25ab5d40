"""Encodes texts by static vectors: the weighted mean of a text's tokens, at length 1.

Shapes: N texts, V ids of the vocabulary, D width of a vector.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import embedding_bag

from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.settings import Settings, encoders_dir
from recsys_jobs.embed.cleaning import clean
from recsys_jobs.embed.make_once import make_once
from recsys_jobs.embed.registry import encoder_name, find_source
from recsys_jobs.embed.static.names import parse_static


@dataclass(frozen=True)
class StaticEncoder:
    """A tokenizer of the tokenizers library, a vector a token, and that of a text with none of them."""

    tokenizer: Any
    table_VD: Tensor
    empty_D: Tensor


def load_static_encoder(settings: Settings) -> StaticEncoder:
    """The static encoder that `settings.text_encoder` names, on the CPU, distilled first where it is not yet there."""
    from tokenizers import Tokenizer

    folder = static_folder(settings)
    try:
        tensors = load_file(folder / "model.safetensors")
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except (OSError, SafetensorError) as error:
        raise JobError(f"{folder} is damaged ({error}): delete it, and it is made again") from None
    return StaticEncoder(tokenizer, tensors["embeddings"], tensors["empty"])


def static_folder(settings: Settings) -> Path:
    """The folder in `encoders_dir` that holds the vectors, named by all that decides them; made once."""
    static = parse_static(settings.text_encoder)
    if static is None:
        raise UsageError(f"text_encoder is {settings.text_encoder!r}, which is no static one")
    name = encoder_name(settings, "text")
    folder = encoders_dir() / f"static{static.width}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"

    def make(partial: Path) -> None:
        from recsys_jobs.embed.static.distillation import distil

        distil(find_source(replace(settings, text_encoder=static.teacher), "text"), static.width, name, partial)

    return make_once(folder, make)


def encode_texts(encoder: StaticEncoder, raw_texts: Sequence[str]) -> np.ndarray:
    """Vectors [N, D], float32, of length 1; a text without a token that says something gets the empty text's.

    Each row depends on its own text alone: its tokens are added in their order, whatever stands beside it.
    """
    encodings = encoder.tokenizer.encode_batch_fast([clean(text) for text in raw_texts], add_special_tokens=False)
    tokens = [encoding.ids for encoding in encodings]
    start_N = np.cumsum([0, *map(len, tokens)])[:-1]
    ids = np.fromiter(chain.from_iterable(tokens), np.int64)
    sum_ND = embedding_bag(torch.from_numpy(ids), encoder.table_VD, torch.from_numpy(start_N), mode="sum").numpy()
    length_N1 = np.sqrt((sum_ND * sum_ND).sum(axis=1, keepdims=True))
    return np.where(length_N1 > 0, sum_ND / np.maximum(length_N1, np.finfo(np.float32).tiny), encoder.empty_D.numpy())
