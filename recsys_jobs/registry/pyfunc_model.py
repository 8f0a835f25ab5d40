"""The registered model: a pyfunc from code that answers a frame of user ids with their slates.

Its folder holds `ids.json` (users, items in eligible order, the weight of each part) and `model.safetensors`:
of part n either `n.user_UF` and `n.item_IF`, whose inner product ranks the items, or `n.pointers`, `n.columns`
and `n.values`, an item-to-item matrix whose rows of the owned items are added up, as much of each as `n.left` says
where it is there, and `n.bias` with them; and each user's owned items as `owned.pointers` and `owned.items`. Of several
parts each is standardised over the items before it is weighed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel
from safetensors.torch import load_file
from scipy import sparse

DEFAULT_K = 20


class Recommender(PythonModel):
    """`predict(frame with user_id)` gives rows (user_id, rank, item_id, score), best first.

    A user whom the model does not know has no rows: `popular_items` serves those. The parameter
    `k` is the slate's length.
    """

    def load_context(self, context: Any) -> None:
        folder = Path(context.artifacts["model"])
        ids = json.loads((folder / "ids.json").read_text(encoding="utf-8"))
        self.items: list[str] = ids["items"]
        self.weights: list[float] = ids["weights"]
        self.user_index = {user: index for index, user in enumerate(ids["users"])}
        self.tensors = load_file(str(folder / "model.safetensors"))
        self.matrices = {n: self._matrix(n) for n in range(len(self.weights)) if f"{n}.values" in self.tensors}

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        k = int((params or {}).get("k", DEFAULT_K))
        rows = [row for user in model_input["user_id"] for row in self._slate(str(user), k)]
        return pd.DataFrame(rows, columns=["user_id", "rank", "item_id", "score"])

    def _slate(self, user: str, k: int) -> list[tuple[str, int, str, float]]:
        index = self.user_index.get(user)
        if index is None:
            return []
        start, end = self.tensors["owned.pointers"][index : index + 2].tolist()
        owned = self.tensors["owned.items"][start:end]
        scores_I = self._scores(index, owned)
        scores_I[owned] = -torch.inf
        best = torch.argsort(scores_I, descending=True, stable=True)[:k].tolist()
        kept = [i for i in best if scores_I[i] > -torch.inf]
        return [(user, rank, self.items[i], float(scores_I[i])) for rank, i in enumerate(kept, start=1)]

    def _scores(self, index: int, owned: torch.Tensor) -> torch.Tensor:
        parts = [self._part(number, index, owned) for number in range(len(self.weights))]
        if len(parts) == 1:
            return parts[0]
        total = torch.zeros(len(self.items))
        for weight, part_I in zip(self.weights, parts, strict=True):
            part_I = part_I - part_I.mean()
            total += weight * part_I / part_I.square().mean().sqrt().clamp(min=1e-12)
        return total

    def _part(self, number: int, index: int, owned: torch.Tensor) -> torch.Tensor:
        if number not in self.matrices:
            return self.tensors[f"{number}.item_IF"] @ self.tensors[f"{number}.user_UF"][index]
        start, end = self.tensors["owned.pointers"][index : index + 2].tolist()
        left = self.tensors.get(f"{number}.left")
        left_N = np.ones(len(owned), np.float32) if left is None else left[start:end].numpy()
        history = sparse.csr_matrix((left_N, owned.numpy(), [0, len(owned)]), shape=(1, len(self.items)))
        scores_I = torch.from_numpy((history @ self.matrices[number]).toarray()[0])
        return scores_I + self.tensors.get(f"{number}.bias", torch.zeros(()))

    def _matrix(self, number: int) -> sparse.csr_matrix:
        csr = [self.tensors[f"{number}.{name}"].numpy() for name in ("values", "columns", "pointers")]
        return sparse.csr_matrix(tuple(csr), shape=(len(self.items), len(self.items)))


set_model(Recommender())
