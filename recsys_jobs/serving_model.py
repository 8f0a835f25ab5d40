"""The registered model: a pyfunc from code that answers a frame of user ids with their slates.

Its folder holds `factors.safetensors` (user_UF and item_IF, whose inner product ranks the items; the
owned items of each user as CSR pointers and indices) and `ids.json` (users, items, eligible order).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel
from safetensors.torch import load_file

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
        self.user_index = {user: index for index, user in enumerate(ids["users"])}
        self.tensors = load_file(str(folder / "factors.safetensors"))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        k = int((params or {}).get("k", DEFAULT_K))
        rows = [row for user in model_input["user_id"] for row in self._slate(str(user), k)]
        return pd.DataFrame(rows, columns=["user_id", "rank", "item_id", "score"])

    def _slate(self, user: str, k: int) -> list[tuple[str, int, str, float]]:
        index = self.user_index.get(user)
        if index is None:
            return []
        scores_I = self.tensors["item_IF"] @ self.tensors["user_UF"][index]
        start, end = self.tensors["owned_pointers"][index : index + 2].tolist()
        scores_I[self.tensors["owned_items"][start:end]] = -torch.inf
        best = torch.argsort(scores_I, descending=True, stable=True)[:k].tolist()
        kept = [i for i in best if scores_I[i] > -torch.inf]
        return [(user, rank, self.items[i], float(scores_I[i])) for rank, i in enumerate(kept, start=1)]


set_model(Recommender())
