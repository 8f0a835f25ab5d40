"""A trained `sage_fm`: scores, factors, item vectors, weights. Users and items it never saw get scores too.

U users, I items, E events, B batch, D width, F rank, G graph width, M and N modalities of a user and of an item.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from recsys_jobs.data.dataset import Bools, Dataset
from recsys_jobs.models.base import id_rows
from recsys_jobs.models.base.weights import packed, restored, unpacked
from recsys_jobs.models.layers.alike_texts import alike_titles
from recsys_jobs.models.sage_fm.graph_sage import View, view
from recsys_jobs.models.sage_fm.network import Items, SageFM
from recsys_jobs.models.sage_fm.recipe import SageFMRecipe
from recsys_jobs.models.sage_fm.visible_data import VisibleData, build_visible_data
from recsys_jobs.ranking.model import Factors, ModalityTerms

BLOCK = 4_096  # users encoded at once
_NODE_INPUTS = "graph.input_IG"


class FittedSageFM:
    """The network with the dataset that it ranks: full histories, the whole graph.

    `epochs` is how long it trained, `history` one flat dict of numbers per epoch.
    """

    def __init__(
        self,
        model: SageFM,
        dataset: Dataset,
        known_I: Bools,
        epochs: int,
        history: list[dict[str, float]],
        device: torch.device,
    ) -> None:
        self.model = model.eval()
        self.epochs = epochs
        self.history = history
        self._item_ids = dataset.items
        self._known_I = known_I
        alike_II = alike_titles(dataset, model.recipe.text_neighbours, device)
        every_E = np.ones(len(dataset.event_user_E), np.bool_)
        self.visible = build_visible_data(dataset, every_E, device, alike_II)

    @cached_property
    def _items(self) -> Items:
        with torch.no_grad():
            graph = whole_graph(self.model.recipe, self.visible, self._known_I)
            return self.model.encode_items(self.visible, graph)

    @cached_property
    def _user_vectors(self) -> Tensor:
        return encode_all_users(self.model, self.visible, self._items)

    @torch.no_grad()
    def score_block(self, users_B: Tensor) -> Tensor:
        """Return the scores [B, I] of users, by row of the dataset, for all its items; owned ones too."""
        user_BD = self._user_vectors[users_B.to(self.visible.device)]
        return self.model.fm.all_pairs(user_BD, self._items.fused.vector_BD).cpu()

    @torch.no_grad()
    def factors(self) -> Factors:
        """Return user_UF and item_IF whose inner product ranks as `score_block` does."""
        folded = self.model.fm.fold(self._user_vectors, self._items.fused.vector_BD)
        return Factors(folded.user_UF.cpu(), folded.item_IF.cpu())

    def item_vectors(self) -> Tensor:
        """Return the items' fused vectors [I, D], for similar items."""
        return self._items.fused.vector_BD.cpu()

    @torch.no_grad()
    def modality_terms(self, user: int, item: int) -> ModalityTerms:
        """Return how the modalities of one user and one item make up their score, attention held fixed."""
        user_B = torch.tensor([user], device=self.visible.device)
        user_parts = self.model.user_parts(self.visible, self._items, user_B)
        rows = slice(item, item + 1)
        item_parts = {name: part.rows(rows) for name, part in self._items.parts.items()}
        users, user_MD = self.model.weighted(self.model.user_attention, user_parts)
        items, item_ND = self.model.weighted(self.model.item_attention, item_parts)
        across_MN, alone_N = self.model.fm.split(user_MD, item_ND)
        return ModalityTerms(users, items, across_MN.cpu(), alone_N.cpu())

    def weights(self) -> dict[str, Tensor]:
        """Return everything that `load` needs, as plain tensors: the network, and the items it was trained on."""
        return packed(self.model) | {
            "items.names": id_rows.pack(self._item_ids),
            "items.known": torch.from_numpy(self._known_I.copy()),
            "epochs": torch.tensor(self.epochs),
        }


def load(
    weights: dict[str, Tensor], dataset: Dataset, recipe: SageFMRecipe, device: torch.device | None = None
) -> FittedSageFM:
    """Return the model of `weights` over a dataset: its own, or a later one with more users and items.

    Items without a trained node input start from their neighbours. Raises JobError where the weights
    are of another recipe or of encoders of other widths.
    """
    device = device or torch.device("cpu")
    state = unpacked(weights)
    row_I = id_rows.rows_of(id_rows.unpack(weights["items.names"]), dataset.items)
    any_row_I = row_I.clip(min=0)  # an unknown item takes the first row, which the mask then clears
    known_I = (row_I >= 0) & weights["items.known"].numpy()[any_row_I]
    nodes_IG = state[_NODE_INPUTS][any_row_I] * torch.from_numpy(known_I)[:, None]
    widths = dataset.text_IT.shape[1], dataset.image_IV.shape[1]
    model = restored(lambda: SageFM(recipe, len(dataset.items), *widths), state | {_NODE_INPUTS: nodes_IG}, recipe.name)
    return FittedSageFM(model.to(device), dataset, known_I, int(weights["epochs"]), [], device)


def whole_graph(recipe: SageFMRecipe, visible: VisibleData, known_I: Bools) -> View:
    """Return the graph as scoring sees it: nothing held out, nothing dropped."""
    return view(visible.graph.weight_II, known_I, recipe.weighted_edges, visible.device)


@torch.no_grad()
def encode_all_users(model: SageFM, visible: VisibleData, items: Items) -> Tensor:
    """Return every user's vector [U, D], in blocks of bounded memory."""
    users_U = torch.arange(visible.shape[0], device=visible.device)
    blocks = [model.encode_users(visible, items, block).vector_BD for block in users_U.split(BLOCK)]
    return torch.cat(blocks) if blocks else torch.zeros(0, model.recipe.width)
