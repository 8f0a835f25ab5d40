"""A trained `sage_fm_recent` at the end of a dataset, and how it is loaded.

U users, I items, B users that are served (all of them), N items that a user had, D width, G terms, C content width.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from recsys_jobs.data.dataset import Dataset, Ints
from recsys_jobs.data.histories_as_of import timed_events
from recsys_jobs.models.base.vector_model import VectorModel
from recsys_jobs.models.sage_recent.network import SageRecent, Served, serve
from recsys_jobs.models.sage_recent.recipe import SageRecentRecipe
from recsys_jobs.models.sage_softmax.item_inputs import ItemInputs
from recsys_jobs.models.sage_softmax.network import load_network, network_state
from recsys_jobs.training.learner import EpochLog


class SageRecentModel(VectorModel):
    """Vectors at the end of a dataset; its score is a sum over the items of a history, and what is popular of late."""

    def __init__(self, served: Served, state: dict[str, Tensor], epochs: int, history: list[EpochLog]) -> None:
        super().__init__(served.user_BD, served.item_ID, state, epochs, history, bias_I=served.prior_I)
        self._served = served

    def history_terms(self, user: int, item: int) -> dict[int, float]:
        """Return what each item that a user had adds to its score of `item`."""
        history_1I = self._served.history_BI[[user]]
        item_ID = self._served.item_ID.cpu()
        item_N = history_1I.indices.astype(np.int64)
        product_N = item_ID[torch.from_numpy(item_N)] @ item_ID[item]
        value_N = history_1I.data * product_N.numpy()
        return dict(zip(item_N.tolist(), value_N.tolist(), strict=True))

    def prior_term(self, item: int) -> float:
        """Return what an item's bias and its recent popularity add to its score for every user."""
        return float(self._served.prior_I[item])


def fitted_model(
    network: SageRecent, inputs: ItemInputs, dataset: Dataset, term_G: Ints, epochs: int, history: list[EpochLog]
) -> SageRecentModel:
    """Return the model of a network at the end of a dataset."""
    state = network_state(network, dataset, term_G)
    every_E = np.ones(len(dataset.event_user_E), np.bool_)
    events = timed_events(dataset, every_E)
    served = serve(network, inputs, events, np.arange(len(dataset.users)))
    return SageRecentModel(served, state, epochs, history)


def load(weights: dict[str, Tensor], dataset: Dataset, recipe: SageRecentRecipe) -> SageRecentModel:
    """Return the model of `weights` over a dataset: its own, or a later one, at whose end histories are older."""
    network, inputs, term_G = load_network(SageRecent, weights, dataset, recipe)
    return fitted_model(network, inputs, dataset, term_G, int(weights["epochs"]), [])
