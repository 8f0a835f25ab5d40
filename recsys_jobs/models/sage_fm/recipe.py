"""Recipes of the main model: GraphSAGE, modality fusion and a factorization machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from recsys_jobs.training.recipe import Recipe, TrainedRecipe


@dataclass(frozen=True)
class SageFMRecipe(TrainedRecipe):
    """Configuration of the multimodal fusion model; the defaults are the seed's (see models/sage_fm/network.py)."""

    # model
    width: int = 128  # common space of the modalities
    graph_width: int = 128  # node inputs and every GraphSAGE layer
    graph_layers: int = 2
    fm_rank: int = 64
    node_scale: float = 1.0  # length of a node's learned input at the start
    linear_graph: bool = False  # no ReLU between the layers, which start as a plain average of node and neighbours
    weighted_edges: bool = False  # neighbours count by edge weight, not alike
    node_features: bool = False  # a node starts from its learned input plus its projected text and image
    text_neighbours: int = 0  # of each item in the graph of alike titles, through which starts spread; 0 is none
    history_text: bool = False  # the texts of the items a user had are a fourth modality of the user
    centred: bool = False  # vectors of encoders enter less their mean, which says the same of all items
    unit_parts: bool = False  # modalities have length one before attention, which alone says what each is worth
    normalise: bool = False  # user and item vectors have length one; the FM starts as cosine / temperature
    temperature: float = 0.12  # of that start
    # what a training pair may not see
    hold_out_edges: bool = False  # co-review edges lose the part that the step's own pairs gave them
    node_dropout: float = 0.1  # share of node inputs replaced by their neighbours' mean, so that this path is learned
    edge_dropout: float = 0.0  # share of edges left out of a step
    # loss
    loss: str = "bpr"  # bpr, or softmax over sampled items
    negatives: int = 1  # a pair's own for bpr; shared by the whole batch for softmax
    whole_catalogue: bool = False  # negatives are of all items, not of those alone that somebody had
    l2: float = 1e-6
    # steps
    node_learning_rate: float = 1e-3  # of the node inputs, each of which sees few pairs
    steps_per_epoch: int = 24
    min_batch: int = 256  # pairs; small data takes fewer steps
    # encoders
    end_to_end: str = (
        ""  # size of encoders that learn with the rest (embed/from_scratch/sizes.py); empty: vectors come encoded
    )
    encoder_learning_rate: float = 1e-4


def sage_fm_seed() -> SageFMRecipe:
    """The model as its seed describes it."""
    return SageFMRecipe(name="sage_fm_seed", family="sage_fm")


def sage_fm_end_to_end() -> SageFMRecipe:
    """The seed's model with DistilBERT and ResNet-50 inside, learning from its loss alone: a GPU's work."""
    return replace(
        sage_fm_seed(),
        name="sage_fm_end_to_end",
        family="sage_fm_end_to_end",
        end_to_end="full",
        steps_per_epoch=200,
        min_batch=32,
        max_epochs=20,
    )


def sage_fm_end_to_end_small() -> SageFMRecipe:
    """The same at the size that two cores can train."""
    return replace(
        sage_fm_end_to_end(),
        name="sage_fm_end_to_end_small",
        end_to_end="small",
        encoder_learning_rate=1e-3,
        steps_per_epoch=48,
    )


def sage_fm() -> SageFMRecipe:
    """The seed's model with the changes that pay."""
    return replace(
        sage_fm_seed(),
        name="sage_fm",
        node_scale=0.2,
        linear_graph=True,
        weighted_edges=True,
        node_features=True,
        history_text=True,
        centred=True,
        unit_parts=True,
        normalise=True,
        hold_out_edges=True,
        loss="softmax",
        negatives=1_024,
        whole_catalogue=True,
        # a sharper start or faster steps let attention fall for one modality before it has seen the others
        temperature=0.3,
        node_learning_rate=5e-4,
        steps_per_epoch=12,  # the whole graph is encoded at each
        patience=10,
        max_epochs=80,
    )


def sage_fm_text_graph() -> SageFMRecipe:
    """`sage_fm` whose nodes also start from those of the nearest titles: one layer over co-reviews is then enough."""
    return replace(
        sage_fm(),
        name="sage_fm_text_graph",
        text_neighbours=10,
        graph_layers=1,
        fm_rank=128,
        # as it was decided on titles alone, whose vectors share little
        centred=False,
        unit_parts=False,
        node_learning_rate=2e-3,
    )


def sage_fm_debug() -> SageFMRecipe:
    """`sage_fm` in a second: a few dimensions, two epochs."""
    return replace(sage_fm(), name="sage_fm_debug", width=8, graph_width=8, fm_rank=4, steps_per_epoch=4, max_epochs=2)


RECIPES: dict[str, Callable[[], Recipe]] = {
    "sage_fm": sage_fm,
    "sage_fm_seed": sage_fm_seed,
    "sage_fm_debug": sage_fm_debug,
    "sage_fm_end_to_end": sage_fm_end_to_end,
    "sage_fm_end_to_end_small": sage_fm_end_to_end_small,
    "sage_fm_text_graph": sage_fm_text_graph,
}
FAMILIES = {
    "sage_fm": "recsys_jobs.models.sage_fm.learner",
    "sage_fm_end_to_end": "recsys_jobs.models.sage_fm.end_to_end",
}
