"""What is known of an item in one space: a learned row, and the mean of what its contents are projected to.

Rows are learned of items that training met; the others are known by their contents alone. So that this is
learned as well, some items lose their row at each step of a training.

I items, N items of a step, W width of a content, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys_jobs.data.dataset import Bools, Dataset, Floats
from recsys_jobs.models.layers.fusion import Part
from recsys_jobs.models.layers.numeric_features import Numbers
from recsys_jobs.models.layers.projections import start_centred
from recsys_jobs.models.sequence.recipe import ContentSequenceRecipe


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
        if recipe.numbers and dataset.numeric_IN.shape[1]:
            self._add_numbers(dataset.numeric_IN, known_I, recipe.width)

    def _add(self, name: str, row_IW: Floats, present_I: Bools, width: int) -> None:
        """Take a modality in, if the dataset has it. Its vectors are the dataset's, not part of the weights."""
        if not row_IW.shape[1]:
            return
        layer = nn.Linear(row_IW.shape[1], width)
        start_centred(layer, torch.from_numpy(row_IW[present_I]))
        self.projections[name] = layer
        self.register_buffer(f"{name}_IW", torch.from_numpy(row_IW), persistent=False)
        self.register_buffer(f"{name}_present_I", torch.from_numpy(present_I), persistent=False)

    def _add_numbers(self, number_IW: Floats, known_I: Bools, width: int) -> None:
        self.numbers = Numbers(number_IW.shape[1])
        self.numbers.start(number_IW, known_I)
        self.projections["numbers"] = nn.Linear(number_IW.shape[1], width)
        self.register_buffer("numbers_IW", torch.from_numpy(number_IW), persistent=False)

    def identity(self, item_N: Tensor) -> Part:
        """Return the learned rows [N, D], and which items have one."""
        row_ND = functional.embedding(item_N, self.item_ID)
        has_row_N = row_ND.detach().any(1)
        if self.training and self.identity_dropout:
            has_row_N = has_row_N & (torch.rand(len(item_N), device=item_N.device) >= self.identity_dropout)
        return Part(row_ND * has_row_N[:, None], has_row_N)

    def content(self, item_N: Tensor) -> Part:
        """Return the mean of the contents that each item has [N, D], zeros for those without any."""
        total_ND = torch.zeros(len(item_N), self.item_ID.shape[1], device=item_N.device)
        count_N = torch.zeros(len(item_N), device=item_N.device)
        for name, layer in self.projections.items():
            row_NW, present_N = self._modality(name, item_N)
            total_ND = total_ND + layer(row_NW) * present_N[:, None]
            count_N = count_N + present_N
        return Part(total_ND / count_N.clamp(min=1)[:, None], count_N > 0)

    def _modality(self, name: str, item_N: Tensor) -> tuple[Tensor, Tensor]:
        """Return a modality's rows [N, W], and which items have one."""
        row_NW = self.get_buffer(f"{name}_IW")[item_N]
        if name == "numbers":
            value_NW, present_N = self.numbers(row_NW)
            return value_NW, present_N
        return row_NW, self.get_buffer(f"{name}_present_I")[item_N]
