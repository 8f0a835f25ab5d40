"""`sage_fm` reduced to what carries it where there are only identifiers and short texts.

h = E + F W + C V + T (E + F W + C V)      free rows, terms, text and image, and those of the nearest texts
x = h + A'A h + ... (A'A)^L h              A = D_u^-1/2 X D_i^-1/2
u = A_u x                                  y_ui = b_i + cos(u, x_i) / temperature

A'A is the co-review graph, each edge damped by how much its people and its two items had, in two factors;
x is L linear GraphSAGE layers over it (Hamilton et al. 2017; without a weight matrix between them, as in
LightGCN, He et al. 2020), and T one over the graph of alike texts. Users are means of their histories as in
the main model, so nobody has a vector of its own. y is the factorization machine's folded form: a linear
term of the item and the pairs across. The attention over modalities is a plain sum here.

U users, I items, N rows of either, D width, G terms, C content width.
"""

from __future__ import annotations

from functools import partial
from typing import TypeVar

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional

from recsys_jobs.data.dataset import Dataset, Ints
from recsys_jobs.models.base import id_rows
from recsys_jobs.models.base.weights import packed, restored, unpacked
from recsys_jobs.models.layers.sparse import Sparse, multiply, pair
from recsys_jobs.models.sage_softmax.item_inputs import ItemInputs, item_inputs
from recsys_jobs.models.sage_softmax.recipe import SageGraphRecipe

_FREE, _BIAS = "free_ID", "bias_I"
Network = TypeVar("Network", bound="SageSoftmax")


class SageSoftmax(nn.Module):
    """What is learned: free rows of items that were met, terms, the contents' projection, biases."""

    def __init__(self, recipe: SageGraphRecipe, trained_I: Tensor, terms: int, content_width: int) -> None:
        super().__init__()
        self.recipe = recipe
        start = partial(torch.normal, 0.0, recipe.start_scale)
        self.free_ID = nn.Parameter(start((len(trained_I), recipe.width)) * trained_I[:, None])
        self.bias_I = nn.Parameter(torch.zeros(len(trained_I)))
        self.term_GD = nn.Parameter(start((terms, recipe.width)))
        self.content_CD = nn.Parameter(start((content_width, recipe.width)))

    def forward(self, inputs: ItemInputs, history_UI: Sparse) -> Tensor:
        """Return every item's vector x [I, D] by a history, which is A."""
        terms_ID = multiply(inputs.term_IG, self.term_GD)
        layer_ID = self.free_ID + terms_ID + inputs.content_IC @ self.content_CD
        if inputs.alike_II is not None:
            layer_ID = layer_ID + multiply(inputs.alike_II, layer_ID)
        item_ID = layer_ID
        history_IU = Sparse(history_UI.transposed, history_UI.matrix)
        for _ in range(self.recipe.layers):
            layer_ID = multiply(history_IU, multiply(history_UI, layer_ID))
            item_ID = item_ID + layer_ID
        return item_ID


def core_items(dataset: Dataset) -> Tensor:
    """Return 1.0 for the items of the core, which training meets, 0.0 for the others [I]."""
    trained_I = torch.zeros(len(dataset.items))
    trained_I[dataset.event_item_E[dataset.in_core_E]] = 1
    return trained_I


def freeze_untrained_rows(network: SageSoftmax, trained_I: Tensor) -> None:
    """Keep the free rows of items outside the core at zero: their contents and biases say it all."""
    mask_I1 = trained_I[:, None].to(network.free_ID.device)
    network.free_ID.register_hook(lambda gradient_ID: gradient_ID * mask_I1)


def scaled(history_UI: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return A = D_u^-1/2 X D_i^-1/2, degrees at least 1."""
    degree_U = np.maximum(np.diff(history_UI.indptr), 1)
    degree_I = np.maximum(np.bincount(history_UI.indices, minlength=history_UI.shape[1]), 1)
    scaled_UI = sparse.diags_array(degree_U**-0.5) @ history_UI @ sparse.diags_array(degree_I**-0.5)
    scaled_UI = sparse.csr_matrix(scaled_UI).astype(np.float32)
    scaled_UI.sort_indices()
    return scaled_UI


def unit(vector_ND: Tensor) -> Tensor:
    """Return vectors of length one; zero ones stay zero."""
    return functional.normalize(vector_ND, dim=1, eps=1e-6)


@torch.no_grad()
def vectors(network: SageSoftmax, inputs: ItemInputs, history_UI: sparse.csr_matrix) -> tuple[Tensor, Tensor]:
    """Return users' [U, D] and items' [I, D] vectors, whose inner product is the cosine over the temperature."""
    history = pair(history_UI, inputs.content_IC.device)
    item_ID = network(inputs, history)
    return unit(multiply(history, item_ID)) / network.recipe.temperature, unit(item_ID)


def network_state(network: SageSoftmax, dataset: Dataset, term_G: Ints) -> dict[str, Tensor]:
    """Return the network's weights with the ids of their items and their terms, as `load_network` reads them."""
    ids = {"items.names": id_rows.pack(dataset.items), "terms": torch.from_numpy(term_G)}
    return packed(network) | ids


def load_network(
    network_type: type[Network], weights: dict[str, Tensor], dataset: Dataset, recipe: SageGraphRecipe
) -> tuple[Network, ItemInputs, Ints]:
    """Return the network of `weights` for a dataset's items, the inputs of these, and its terms.

    An item that training did not meet is what its contents and the people who had it say.
    """
    stored_ids = id_rows.unpack(weights["items.names"])
    term_G = weights["terms"].numpy()
    state = for_items(unpacked(weights), stored_ids, dataset.items)
    inputs = item_inputs(dataset, term_G, recipe, torch.device("cpu"))
    sizes = torch.zeros(len(dataset.items)), len(term_G), inputs.content_IC.shape[1]
    return restored(lambda: network_type(recipe, *sizes), state, recipe.name), inputs, term_G


def for_items(state: dict[str, Tensor], stored_ids: list[str], ids: list[str]) -> dict[str, Tensor]:
    """Return a network's state for other items: no row of their own for those that it does not know."""
    new_I = torch.from_numpy(id_rows.rows_of(stored_ids, ids) < 0)
    untrained_bias_N = state[_BIAS][~state[_FREE].any(1)]
    bias_I = id_rows.rows_for(state[_BIAS][:, None], stored_ids, ids)[:, 0]
    # new items take the mean bias of the unsold, or the newest would rank above all of these
    bias_I[new_I] = untrained_bias_N.mean() if len(untrained_bias_N) else 0.0
    free_ID = id_rows.rows_for(state[_FREE], stored_ids, ids)
    return state | {_FREE: free_ID, _BIAS: bias_I}
