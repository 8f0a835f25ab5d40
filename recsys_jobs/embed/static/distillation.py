"""Makes a vector of each token of a text encoder, as model2vec does (Tulkens and van Dongen, 2024).

Each token goes through the encoder alone, as a text of one token does; principal components keep what differs among
tokens; frequent tokens count less, by smooth inverse frequency (Arora, Liang and Ma, 2017). How frequent a token is
follows from its rank by Zipf's law, for a vocabulary is ordered by frequency.

Shapes: K tokens that a text can have, V ids of the vocabulary, T the encoder's width, D width of the static vectors.
"""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.embed.registry import Source, raw_width
from recsys_jobs.embed.static.names import MAX_TOKENS
from recsys_jobs.embed.text import Forward, load_forward, load_tokenizer

log = logging.getLogger(__name__)
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

SIF = 1e-4  # probability of a token that counts half
ROWS = 256  # of a batch
_NEVER_READ = re.compile(r"\[unused\d+\]")
_CPU = torch.device("cpu")  # whatever this machine has: one name is to have the same vectors everywhere


def distil(teacher: Source, width: int, name: str, folder: Path) -> None:
    """Fill `folder` with the static vectors of a teacher and its tokenizer, in model2vec's layout.

    `model.safetensors` has `embeddings` [V, D], zeros for what no text can have, and `empty` [D], the vector of a
    text without tokens. JobError where the teacher has no such tokenizer, or fewer numbers or tokens than `width`.
    """
    tokenizer = _plain_tokenizer(teacher)
    token_K = _readable_tokens(tokenizer)
    vector_KT, empty_T = _teacher_vectors(teacher, tokenizer, token_K)
    if width > min(vector_KT.shape):
        numbers = f"{len(token_K):,} tokens of {len(empty_T)} numbers"
        raise JobError(f"static{width}: {teacher.label} has {numbers}, not more")
    projected_KD, empty_D = project(vector_KT, empty_T, width)
    table_VD = np.zeros((max(tokenizer.get_vocab().values()) + 1, width), np.float32)
    table_VD[token_K] = projected_KD * frequency_weights(len(token_K))[:, None]
    _save(folder, name, tokenizer, table_VD, empty_D)
    log.info("distilled %s: %s tokens, %d numbers each", teacher.label, f"{len(token_K):,}", width)


@threadpool_limits.wrap(limits=1)  # with more, the last bits of axes and products are others
def project(vector_KT: Doubles, empty_T: Doubles, width: int) -> tuple[Doubles, Doubles]:
    """Return tokens [K, D] and the empty text [D] along the tokens' first principal axes.

    An axis points to where its largest number is positive.
    """
    mean_T = vector_KT.mean(axis=0)
    centred_KT = vector_KT - mean_T
    _, axis_TT = np.linalg.eigh(centred_KT.T @ centred_KT)
    axis_TD = axis_TT[:, ::-1][:, :width]
    axis_TD = axis_TD * np.sign(axis_TD[np.abs(axis_TD).argmax(axis=0), np.arange(width)])
    return centred_KT @ axis_TD, (empty_T - mean_T) @ axis_TD


def frequency_weights(count: int) -> Doubles:
    """Return the weight of each of `count` tokens, the most frequent first, from 0 to 1."""
    share_K = 1 / np.arange(2, count + 2)  # model2vec's ranks start at 2
    return SIF / (SIF + share_K / share_K.sum())


def _plain_tokenizer(teacher: Source) -> Any:
    """The teacher's tokenizer of the tokenizers library, cut at `MAX_TOKENS`."""
    if raw_width(teacher.folder):
        raise JobError(f"{teacher.folder} leaves texts raw: there is nothing to distil")
    tokenizer = getattr(load_tokenizer(teacher.folder), "backend_tokenizer", None)
    if tokenizer is None:
        raise JobError(f"{teacher.folder}: its tokenizer is none of the tokenizers library, so it cannot be distilled")
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


def _readable_tokens(tokenizer: Any) -> Ints:
    """The ids that say something of a text, in order: neither special, nor unknown, nor unused."""
    special = {token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special}
    left_out = special | {getattr(tokenizer.model, "unk_token", None)}
    vocabulary = tokenizer.get_vocab().items()
    return np.array(
        sorted(number for token, number in vocabulary if token not in left_out and not _NEVER_READ.fullmatch(token)),
        np.int64,
    )


def _teacher_vectors(teacher: Source, tokenizer: Any, token_K: Ints) -> tuple[Doubles, Doubles]:
    """The teacher's vector of each token alone [K, T], and of the empty text [T]."""
    frame = tokenizer.encode("a")
    content = np.flatnonzero(np.array(frame.special_tokens_mask) == 0)
    before, after = frame.ids[: content[0]], frame.ids[content[-1] + 1 :]
    texts = [[*before, token, *after] for token in token_K.tolist()]
    forward = load_forward(teacher.folder, _CPU)
    vectors = _encode(forward, [*texts, [*before, *after]], f"distil {teacher.label}")
    return vectors[:-1], vectors[-1]


def _encode(forward: Forward, texts: list[list[int]], title: str) -> Doubles:
    """Vectors [N, T] of N texts as token ids. All batches have one shape, as `batches` tells why."""
    filled = -(-len(texts) // ROWS) * ROWS
    ids_NL = torch.zeros((filled, max(map(len, texts))), dtype=torch.int64)
    mask_NL = torch.zeros_like(ids_NL)
    mask_NL[:, 0] = 1
    for row, ids in enumerate(texts):
        ids_NL[row, : len(ids)] = torch.tensor(ids)
        mask_NL[row, : len(ids)] = 1
    batches = zip(ids_NL.split(ROWS), mask_NL.split(ROWS), strict=True)
    with torch.inference_mode():
        parts = [forward(*batch) for batch in tqdm(batches, title, filled // ROWS, unit="batch")]
    return torch.cat(parts)[: len(texts)].double().numpy()


def _save(folder: Path, name: str, tokenizer: Any, table_VD: NDArray[np.float32], empty_D: Doubles) -> None:
    unit_D = (empty_D / np.linalg.norm(empty_D)).astype(np.float32)
    (folder / "model.safetensors").write_bytes(save({"embeddings": table_VD, "empty": unit_D}))
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"model_type": "model2vec", "normalize": True, "max_length": MAX_TOKENS, "encoder": name}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
