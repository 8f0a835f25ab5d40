"""The registered model: a pyfunc from code that answers a frame of user ids with their slates.

Its folder holds `ids.json` (users, items in eligible order, the weight of each part) and `model.safetensors`:
of part n either `n.user_UF` and `n.item_IF`, whose inner product ranks the items, or `n.pointers`, `n.columns`
and `n.values`, an item-to-item matrix whose rows of the owned items are added up, as much of each as `n.left` says
where it is there, and `n.bias` with them; and each user's owned items as `owned.pointers` and `owned.items`. Of several
parts each is standardised over the items before it is weighed.

U users, I items, F factors, H items that the user owns.
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
        item_to_item = [part for part in range(len(self.weights)) if f"{part}.values" in self.tensors]
        self.matrices = {part: self._matrix(part) for part in item_to_item}

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        k = int((params or {}).get("k", DEFAULT_K))
        rows = [row for user in model_input["user_id"] for row in self._slate(str(user), k)]
        return pd.DataFrame(rows, columns=["user_id", "rank", "item_id", "score"])

    def _slate(self, user: str, k: int) -> list[tuple[str, int, str, float]]:
        index = self.user_index.get(user)
        if index is None:
            return []
        owned_H = self.tensors["owned.items"][self._history(index)]
        scores_I = self._scores(index)
        scores_I[owned_H] = -torch.inf
        best = torch.argsort(scores_I, descending=True, stable=True)[:k].tolist()
        shown = [item for item in best if scores_I[item] > -torch.inf]
        return [(user, rank, self.items[item], float(scores_I[item])) for rank, item in enumerate(shown, start=1)]

    def _history(self, index: int) -> slice:
        """Return the places of the user's events among everyone's."""
        start, end = self.tensors["owned.pointers"][index : index + 2].tolist()
        return slice(start, end)

    def _scores(self, index: int) -> torch.Tensor:
        """Return the weighed sum of the parts' scores [I]."""
        scores_of_parts = [self._part_scores(part, index) for part in range(len(self.weights))]
        if len(scores_of_parts) == 1:
            return scores_of_parts[0]
        total_I = torch.zeros(len(self.items))
        for weight, scores_I in zip(self.weights, scores_of_parts, strict=True):
            centred_I = scores_I - scores_I.mean()
            deviation = centred_I.square().mean().sqrt().clamp(min=1e-12)
            total_I += weight * centred_I / deviation
        return total_I

    def _part_scores(self, part: int, index: int) -> torch.Tensor:
        if part not in self.matrices:
            return self.tensors[f"{part}.item_IF"] @ self.tensors[f"{part}.user_UF"][index]
        history = self._history(index)
        owned_H = self.tensors["owned.items"][history].numpy()
        left = self.tensors.get(f"{part}.left")
        left_H = np.ones(len(owned_H), np.float32) if left is None else left[history].numpy()
        history_1I = sparse.csr_matrix((left_H, owned_H, [0, len(owned_H)]), shape=(1, len(self.items)))
        scores_I = torch.from_numpy((history_1I @ self.matrices[part]).toarray()[0])
        return scores_I + self.tensors.get(f"{part}.bias", torch.zeros(()))

    def _matrix(self, part: int) -> sparse.csr_matrix:
        values, columns, pointers = (
            self.tensors[f"{part}.{name}"].numpy() for name in ("values", "columns", "pointers")
        )
        return sparse.csr_matrix((values, columns, pointers), shape=(len(self.items), len(self.items)))


set_model(Recommender())
