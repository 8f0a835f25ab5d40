"""A trained `sage_fm`: scores, factors, item vectors, weights. Users and items it never saw get scores too.

U users, I items, B batch, D width, F rank.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from recsys_jobs.dataset import Bools, Dataset
from recsys_jobs.errors import JobError
from recsys_jobs.models import names
from recsys_jobs.models.contract import Factors
from recsys_jobs.models.graph import damped
from recsys_jobs.models.sage import View, view
from recsys_jobs.models.sage_fm import Items, SageFM
from recsys_jobs.models.world import World, build_world
from recsys_jobs.recipes import SageFMRecipe

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
        self.world = build_world(dataset, np.ones(len(dataset.event_user_E), np.bool_), device)

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

    def weights(self) -> dict[str, Tensor]:
        """Return everything that `load` needs, as plain tensors: the network, and the items it was trained on."""
        return {f"model.{name}": value.detach().cpu().clone() for name, value in self.model.state_dict().items()} | {
            "items.names": names.pack(self._item_ids),
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
    state = {name.removeprefix("model."): value for name, value in weights.items() if name.startswith("model.")}
    row_I = names.rows_of(names.unpack(weights["items.names"]), dataset.items)
    known_I = (row_I >= 0) & weights["items.known"].numpy()[row_I.clip(min=0)]
    nodes_IG = state[_NODES][row_I.clip(min=0)] * torch.from_numpy(known_I)[:, None]
    with torch.random.fork_rng(devices=[]):  # the network's random start is thrown away: leave no trace of it
        model = SageFM(recipe, len(dataset.items), dataset.text_IT.shape[1], dataset.image_IV.shape[1])
    try:
        model.load_state_dict(state | {_NODES: nodes_IG})
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise JobError(f"the weights do not fit recipe {recipe.name} and this dataset's widths: {reason}") from None
    return FittedSageFM(model.to(device), dataset, known_I, int(weights["epochs"]), [], device)


def whole_graph(recipe: SageFMRecipe, world: World, known_I: Bools) -> View:
    """Return the graph as scoring sees it: nothing held out, nothing dropped."""
    return view(damped_edges(recipe, world, world.graph.weight_II), known_I, recipe.weighted_edges, world.device)


def damped_edges(recipe: SageFMRecipe, world: World, weight_II: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return the edges as the recipe weighs them."""
    return damped(weight_II, world.degree_I.cpu().numpy()) if recipe.damped else weight_II


@torch.no_grad()
def encode_all_users(model: SageFM, world: World, items: Items) -> Tensor:
    """Return every user's vector [U, D], in blocks of bounded memory."""
    users_U = torch.arange(world.shape[0], device=world.device)
    blocks = [model.encode_users(world, items, block).vector_BD for block in users_U.split(BLOCK)]
    return torch.cat(blocks) if blocks else torch.zeros(0, model.recipe.width)
