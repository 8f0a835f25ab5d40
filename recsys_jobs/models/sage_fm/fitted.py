"""A trained `sage_fm`: scores, factors, item vectors, weights. Users and items it never saw get scores too.

U users, I items, B batch, D width, F rank, M and N modalities of a user and of an item.
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
from recsys_jobs.models.layers.fusion import Part
from recsys_jobs.models.sage_fm.graph_sage import View, view
from recsys_jobs.models.sage_fm.network import Items, SageFM
from recsys_jobs.models.sage_fm.recipe import SageFMRecipe
from recsys_jobs.models.sage_fm.visible_data import World, build_world
from recsys_jobs.ranking.model import Factors, ModalityTerms

BLOCK = 4_096  # users encoded at once
_NODES = "graph.input_IG"


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
        self.world = build_world(dataset, np.ones(len(dataset.event_user_E), np.bool_), device, alike_II)

    @cached_property
    def _items(self) -> Items:
        with torch.no_grad():
            return self.model.encode_items(self.world, whole_graph(self.model.recipe, self.world, self._known_I))

    @cached_property
    def _user_vectors(self) -> Tensor:
        return encode_all_users(self.model, self.world, self._items)

    @torch.no_grad()
    def score_block(self, users_B: Tensor) -> Tensor:
        """Return the scores [B, I] of users, by row of the dataset, for all its items; owned ones too."""
        user_BD = self._user_vectors[users_B.to(self.world.device)]
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
        user_B = torch.tensor([user], device=self.world.device)
        user_parts = self.model.user_parts(self.world, self._items, user_B)
        item_parts = {name: Part(*(a[item : item + 1] for a in part)) for name, part in self._items.parts.items()}
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
    known_I = (row_I >= 0) & weights["items.known"].numpy()[row_I.clip(min=0)]
    nodes_IG = state[_NODES][row_I.clip(min=0)] * torch.from_numpy(known_I)[:, None]
    widths = dataset.text_IT.shape[1], dataset.image_IV.shape[1]
    model = restored(lambda: SageFM(recipe, len(dataset.items), *widths), state | {_NODES: nodes_IG}, recipe.name)
    return FittedSageFM(model.to(device), dataset, known_I, int(weights["epochs"]), [], device)


def whole_graph(recipe: SageFMRecipe, world: World, known_I: Bools) -> View:
    """Return the graph as scoring sees it: nothing held out, nothing dropped."""
    return view(world.graph.weight_II, known_I, recipe.weighted_edges, world.device)


@torch.no_grad()
def encode_all_users(model: SageFM, world: World, items: Items) -> Tensor:
    """Return every user's vector [U, D], in blocks of bounded memory."""
    users_U = torch.arange(world.shape[0], device=world.device)
    blocks = [model.encode_users(world, items, block).vector_BD for block in users_U.split(BLOCK)]
    return torch.cat(blocks) if blocks else torch.zeros(0, model.recipe.width)
