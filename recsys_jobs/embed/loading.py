"""Reads model folders: safetensors only, no code from strangers, nothing left at random."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from recsys_jobs.contracts.errors import JobError


def load_model(folder: Path, device: torch.device) -> Any:
    """The transformers model in `folder`, in float32 and evaluation mode; precision is the caller's autocast.

    JobError where the folder is no model, or its weights do not fill the model: transformers would fill the
    rest at random, which gives other vectors each night. A missing pooler alone is dropped instead.
    """
    from transformers import AutoModel
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity(logging.ERROR)
    try:
        model, report = AutoModel.from_pretrained(
            folder,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise JobError(f"{folder}: not a model that can be loaded: {str(error).splitlines()[0]}") from None
    _require_all_weights(folder, model, sorted(report["missing_keys"]))
    return model.to(device).eval()


def pooled_output(output: Any) -> Tensor:
    """Return the pooled vectors [B, D] of a model's output, which is a tensor already or holds one."""
    return output if isinstance(output, Tensor) else output.pooler_output


def _require_all_weights(folder: Path, model: Any, missing: list[str]) -> None:
    pooler = [name for name in missing if "pooler." in name]
    if len(pooler) < len(missing):
        missing_tensor = next(name for name in missing if name not in pooler)
        raise JobError(f"{folder}: the weights lack {len(missing)} of the model's tensors, {missing_tensor} among them")
    if pooler:
        model.pooler = None


def save_sentence_modules(folder: Path, pooling: str, width: int) -> None:
    """Write the files that say how a transformers model's tokens become one vector: `cls` or `mean`.

    In sentence-transformers' files, so that any of its users reads the folder as `text` does.
    """
    kinds = [("0", "", "Transformer"), ("1", "1_Pooling", "Pooling")]
    modules = [
        {"idx": int(name), "name": name, "path": path, "type": f"sentence_transformers.models.{kind}"}
        for name, path, kind in kinds
    ]
    (folder / "1_Pooling").mkdir(parents=True, exist_ok=True)
    modes = {f"pooling_mode_{name}": name.startswith(pooling) for name in ("cls_token", "mean_tokens")}
    pooling_config = {"word_embedding_dimension": width} | modes
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling_config), encoding="utf-8")
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
