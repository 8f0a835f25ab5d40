"""Text encoders: a folder of transformers or sentence-transformers becomes a function from texts to vectors.

Shapes: N texts, B rows of a batch, L tokens, D width of a vector.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize, pad

from recsys_jobs.contracts.settings import Settings
from recsys_jobs.embed import loading
from recsys_jobs.embed.batches import ROWS, plan_batches, run_batches
from recsys_jobs.embed.cleaning import clean
from recsys_jobs.embed.registry import buckets, find_source, raw_width, read_json
from recsys_jobs.torch_common.devices import choose_device

Forward = Callable[[Tensor, Tensor], Tensor]  # token ids [B, L], mask [B, L] -> vectors [B, D]
_POOLINGS = {"mean_tokens": "mean", "mean": "mean", "cls_token": "cls", "cls": "cls"}


@dataclass(frozen=True)
class TextEncoder:
    """A loaded model: `tokenize` gives token ids per text, cut at the longest of `buckets`."""

    tokenize: Callable[[list[str]], list[list[int]]]
    forward: Forward
    buckets: tuple[int, ...]
    padding: int
    device: torch.device
    precision: str


def load_text_encoder(settings: Settings) -> TextEncoder:
    """The encoder that `settings.text_encoder` names, on the device of this run."""
    folder = find_source(settings, "text").folder
    device = choose_device()
    tokenizer = load_tokenizer(folder)
    lengths = buckets(folder)

    def tokenize(texts: list[str]) -> list[list[int]]:
        return tokenizer(texts, truncation=True, max_length=lengths[-1], padding=False)["input_ids"] if texts else []

    padding = tokenizer.pad_token_id or 0
    return TextEncoder(tokenize, load_forward(folder, device), lengths, padding, device, settings.precision)


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer in a model's folder."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)


def encode_texts(encoder: TextEncoder, raw_texts: Sequence[str]) -> np.ndarray:
    """Vectors [N, D], float32, of raw texts; a text that is markup alone gets the vector of the empty text.

    Each row depends on its own text alone: see `batches`.
    """
    tokens = encoder.tokenize([clean(text) for text in raw_texts])
    batches = _padded_batches(encoder, tokens)
    return run_batches(encoder.forward, batches, len(tokens), encoder.device, encoder.precision)


def _padded_batches(encoder: TextEncoder, tokens: list[list[int]]) -> Iterator[tuple[list[int], tuple[Tensor, Tensor]]]:
    """Token ids and mask [B, L] of each batch. A row of filling has one token, for a mean over none is no number."""
    rows = ROWS[encoder.device.type]
    for length, positions in plan_batches([len(ids) for ids in tokens], encoder.buckets, rows):
        ids_BL = torch.full((rows, length), encoder.padding, dtype=torch.int64)
        mask_BL = torch.zeros((rows, length), dtype=torch.int64)
        mask_BL[len(positions) :, 0] = 1
        for row, position in enumerate(positions):
            ids = tokens[position]
            ids_BL[row, : len(ids)] = torch.tensor(ids)
            mask_BL[row, : max(1, len(ids))] = 1
        yield positions, (ids_BL, mask_BL)


def load_forward(folder: Path, device: torch.device) -> Forward:
    """The part of an encoder from token ids to vectors, as its folder describes it."""
    if width := raw_width(folder):
        return lambda ids_BL, mask_BL: pad(ids_BL * mask_BL, (0, width - ids_BL.shape[1])).float()
    modules = read_json(folder / "modules.json")
    if modules and _pooling(folder, modules) is None:
        return _sentence_transformer(folder, device)
    model = loading.load_model(folder, device)
    if hasattr(model, "get_text_features"):  # CLIP and its kin: the text tower, projected beside the image's
        return lambda ids_BL, mask_BL: loading.pooled_output(
            model.get_text_features(input_ids=ids_BL, attention_mask=mask_BL)
        )
    pooling = _pooling(folder, modules) or "mean"
    normalized = any(module["type"].endswith("Normalize") for module in modules)

    def forward(ids_BL: Tensor, mask_BL: Tensor) -> Tensor:
        hidden_BLD = model(input_ids=ids_BL, attention_mask=mask_BL).last_hidden_state
        vectors_BD = hidden_BLD[:, 0] if pooling == "cls" else masked_mean(hidden_BLD, mask_BL)
        return normalize(vectors_BD, dim=1) if normalized else vectors_BD

    return forward


def masked_mean(hidden_BLD: Tensor, mask_BL: Tensor) -> Tensor:
    """The mean of each row's unmasked tokens, [B, D]; every row must have one."""
    weight_BL1 = mask_BL[:, :, None].to(hidden_BLD.dtype)
    return (hidden_BLD * weight_BL1).sum(1) / weight_BL1.sum(1)


def _pooling(folder: Path, modules: list[dict[str, str]]) -> str | None:
    """`mean` or `cls` for the usual chain Transformer, Pooling[, Normalize]; None for any other.

    The usual chain is three lines of torch; importing sentence_transformers for it costs 15 s a job.
    """
    kinds = [module["type"].rsplit(".", 1)[-1] for module in modules]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        return None
    if modules[0]["path"] or read_json(folder / "sentence_bert_config.json").get("do_lower_case"):
        return None
    config = read_json(folder / modules[1]["path"] / "config.json")
    flags = [key for key, value in config.items() if value is True and "mode" in key]
    modes = [key.removeprefix("pooling_mode_") for key in flags]
    if not modes and isinstance(config.get("pooling_mode"), str):  # as sentence-transformers 5 and later write it
        modes = [config["pooling_mode"]]
    return _POOLINGS.get(modes[0]) if len(modes) == 1 else None


def _sentence_transformer(folder: Path, device: torch.device) -> Forward:
    """Any other chain of modules, through the library that defined it."""
    from sentence_transformers import SentenceTransformer

    model_options: dict[str, Any] = {"dtype": torch.float32, "use_safetensors": True}
    model = SentenceTransformer(
        str(folder), device=str(device), trust_remote_code=False, local_files_only=True, model_kwargs=model_options
    ).eval()

    def forward(ids_BL: Tensor, mask_BL: Tensor) -> Tensor:
        return model({"input_ids": ids_BL, "attention_mask": mask_BL})["sentence_embedding"]

    return forward
