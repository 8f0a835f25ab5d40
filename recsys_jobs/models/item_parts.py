"""What is known of an item in one space: a learned row, and the mean of what its contents are projected to.

Rows are learned of items that training met; the others are known by their contents alone. So that this is
learned as well, some items lose their row at each step of a training.

I items, N items of a step, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys_jobs.dataset import Bools, Dataset
from recsys_jobs.models.fusion import Part
from recsys_jobs.models.projections import start_centred
from recsys_jobs.recipes import ContentSequenceRecipe


class ItemParts(nn.Module):
    """Identity and content of the items of a dataset; `item_ID` has a row of zeros where training met no event."""

    def __init__(self, dataset: Dataset, recipe: ContentSequenceRecipe, known_I: Bools) -> None:
        super().__init__()
        self.identity_dropout = recipe.identity_dropout
        known_I1 = torch.from_numpy(known_I).float()[:, None]
        self.item_ID = nn.Parameter(torch.randn(len(known_I), recipe.width) * recipe.start_scale * known_I1)
        self.projections = nn.ModuleDict()
        self._add("text", dataset.text_IT, dataset.text_present_I, recipe.width)
        self._add("image", dataset.image_IV, dataset.image_present_I, recipe.width)

    def _add(self, name: str, rows: object, present: object, width: int) -> None:
        """Take a modality in, if the dataset has it. Its vectors are the dataset's, not part of the weights."""
        row_IW, present_I = torch.as_tensor(rows), torch.as_tensor(present)
        if not row_IW.shape[1]:
            return
        layer = nn.Linear(row_IW.shape[1], width)
        start_centred(layer, row_IW[present_I])
        self.projections[name] = layer
        self.register_buffer(f"{name}_IW", row_IW, persistent=False)
        self.register_buffer(f"{name}_present_I", present_I, persistent=False)

    def identity(self, item_N: Tensor) -> Part:
        """Return the learned rows [N, D], and which items have one."""
        row_ND = functional.embedding(item_N, self.item_ID)
        there_N = row_ND.detach().any(1)
        if self.training and self.identity_dropout:
            there_N = there_N & (torch.rand(len(item_N), device=item_N.device) >= self.identity_dropout)
        return Part(row_ND * there_N[:, None], there_N)

    def content(self, item_N: Tensor) -> Part:
        """Return the mean of the contents that each item has [N, D], zeros for those without any."""
        total_ND = torch.zeros(len(item_N), self.item_ID.shape[1], device=item_N.device)
        count_N = torch.zeros(len(item_N), device=item_N.device)
        for name, layer in self.projections.items():
            present_N = self.get_buffer(f"{name}_present_I")[item_N]
            total_ND = total_ND + layer(self.get_buffer(f"{name}_IW")[item_N]) * present_N[:, None]
            count_N = count_N + present_N
        return Part(total_ND / count_N.clamp(min=1)[:, None], count_N > 0)
