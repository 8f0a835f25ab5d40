"""Recipes: a run's whole configuration as a frozen dataclass that a plain function returns. Standard library only.

`family` says which code fits the recipe (see families.py). A new family adds a dataclass of its own, a
function for each named configuration, and a line in `RECIPES`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from recsys_jobs.errors import UsageError


@dataclass(frozen=True)
class Recipe:
    """What every recipe has: the name it is asked for by, and the family of code that fits it."""

    name: str
    family: str


@dataclass(frozen=True)
class TrainedRecipe(Recipe):
    """What every neural family's recipe has beside that: the loop of training.py."""

    learning_rate: float = 1e-3
    learning_rate_decay: float = 1.0  # factor per epoch, of the exponential schedule
    schedule: str = "exponential"  # constant, exponential; or linear, cosine: down towards zero over max_epochs
    warmup_epochs: int = 0  # of the schedule's own start, with rates that rise evenly
    optimizer: str = "adam"  # adam, adamw, sgd with momentum
    weight_decay: float = 0.0  # of the optimizer: decoupled for adamw, L2 for the others
    clip_norm: float = 1.0
    max_epochs: int = 60
    patience: int = 5  # epochs without a better value of what it stops by
    stop_by: str = "validation_ndcg"  # the higher the better; or validation_loss, the lower the better
    validation_users: int = 2_000
    validation_k: int = 20
    mixed_precision: str = "auto"  # auto: on cuda only; bfloat16: everywhere; off


@dataclass(frozen=True)
class SageFMRecipe(TrainedRecipe):
    """Configuration of the multimodal fusion model; the defaults are the seed's (see models/sage_fm.py)."""

    # model
    width: int = 128  # common space of the modalities
    graph_width: int = 128  # node inputs and every GraphSAGE layer
    graph_layers: int = 2
    fm_rank: int = 64
    node_scale: float = 1.0  # length of a node's learned input at the start
    linear_graph: bool = False  # no ReLU between the layers, which start as a plain average of node and neighbours
    weighted_edges: bool = False  # neighbours count by edge weight, not alike
    damped: bool = False  # neighbours and a user's items count by one over the root of how many had them
    node_features: bool = False  # a node starts from its learned input plus its projected text and image
    history_text: bool = False  # the texts of the items a user had are a fourth modality of the user
    normalise: bool = False  # user and item vectors have length one; the FM starts as cosine / temperature
    temperature: float = 0.12  # of that start
    # what a training pair may not see
    hold_out_edges: bool = False  # co-review edges lose the part that the step's own pairs gave them
    node_dropout: float = 0.1  # share of node inputs replaced by their neighbours' mean, so that this path is learned
    edge_dropout: float = 0.0  # share of edges left out of a step
    held_out: float = 0.0  # share of a user's items that a step asks for and hides at once; 0 hides each pair alone
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
    end_to_end: str = ""  # size of encoders that learn with the rest (scratch/sizes.py); empty: vectors come encoded
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
        normalise=True,
        hold_out_edges=True,
        loss="softmax",
        negatives=1_024,
        whole_catalogue=True,
        # a sharper start or faster steps let attention fall for one modality before it has seen the others
        temperature=0.3,
        node_learning_rate=2e-3,
        steps_per_epoch=12,  # the whole graph is encoded at each
        patience=10,
        max_epochs=80,
    )


def sage_fm_debug() -> SageFMRecipe:
    """`sage_fm` in a second: a few dimensions, two epochs."""
    return replace(sage_fm(), name="sage_fm_debug", width=8, graph_width=8, fm_rank=4, steps_per_epoch=4, max_epochs=2)


@dataclass(frozen=True)
class SageSoftmaxRecipe(TrainedRecipe):
    """Configuration of the graph model that learns from a softmax over all items (models/sage_fm_softmax.py)."""

    width: int = 128
    layers: int = 1  # over the co-review graph
    text_neighbours: int = 10  # of each item in the graph of alike texts; 0 is none
    temperature: float = 0.12
    held_out: float = 0.3  # share of a user's items that a step asks for and hides at once
    start_scale: float = 0.02  # standard deviation at the start of all that is learned
    whole_catalogue: bool = False  # the softmax is over all items, not over those alone that somebody had
    steps_per_epoch: int = 70
    min_batch: int = 64  # users; small data takes fewer steps


def sage_fm_softmax() -> SageSoftmaxRecipe:
    """The graph model for data of identifiers and short texts."""
    return SageSoftmaxRecipe(
        name="sage_fm_softmax",
        family="sage_fm_softmax",
        learning_rate=2e-2,
        schedule="linear",
        warmup_epochs=1,
        clip_norm=10.0,
        whole_catalogue=True,
        max_epochs=6,
        validation_users=6_000,
    )


@dataclass(frozen=True)
class LightGCNRecipe(TrainedRecipe):
    """Configuration of LightGCN and of matrix factorisation (models/lightgcn.py); the defaults are LightGCN's own."""

    width: int = 64
    layers: int = 3  # of the graph; 0 is matrix factorisation
    start_scale: float = 0.1  # standard deviation of a node's vector at the start
    loss: str = "bpr"  # bpr, or softmax over sampled items
    negatives: int = 1_024  # that a batch shares, for softmax
    l2: float = 1e-4
    steps_per_epoch: int = 24  # the whole graph is propagated at each
    min_batch: int = 256  # pairs; small data takes fewer steps


def lightgcn() -> LightGCNRecipe:
    """LightGCN in fewer, larger steps than its authors', with the penalty that these ask for."""
    return LightGCNRecipe(name="lightgcn", family="lightgcn", learning_rate=1e-2, l2=1e-2, max_epochs=100, patience=8)


def bpr_mf() -> LightGCNRecipe:
    """Matrix factorisation by BPR: no layer smooths it, so that its penalty has to."""
    return replace(lightgcn(), name="bpr_mf", layers=0, learning_rate=5e-3, l2=0.1)


@dataclass(frozen=True)
class SequenceRecipe(TrainedRecipe):
    """Configuration of a family over sequences (models/sequence_training.py); the defaults are SASRec's."""

    width: int = 64
    length: int = 50  # last items of a user
    blocks: int = 2
    heads: int = 1
    feed_width: int = 64
    dropout: float = 0.5
    start_scale: float = 0.02  # standard deviation of an item's vector at the start
    negatives: int = 1_024  # that a batch shares; as many as there are items make the full softmax
    batch: int = 2_048  # items to find, about
    min_steps: int = 24  # an epoch: small data takes smaller batches
    min_batch: int = 64


def sasrec() -> SequenceRecipe:
    """SASRec with sampled softmax."""
    return SequenceRecipe(name="sasrec", family="sasrec", max_epochs=100)


@dataclass(frozen=True)
class ContentSequenceRecipe(SequenceRecipe):
    """What families over sequences have beside that where they look at contents."""

    identity_dropout: float = 0.1  # share of items that lose their learned row in a step
    numbers: bool = False  # numeric columns, such as prices, are a content


@dataclass(frozen=True)
class GatedSequenceRecipe(ContentSequenceRecipe):
    """Configuration of the gated sequence model (see models/gated_sequence.py)."""

    start_scale: float = 0.125  # so that a learned row of 64 is about as long as a projected content
    temperature: float = 0.07  # of the contrast


def gated_sequence() -> GatedSequenceRecipe:
    """The model of seed 0."""
    return GatedSequenceRecipe(name="gated_sequence", family="gated_sequence", heads=2, max_epochs=100)


@dataclass(frozen=True)
class TemporalGPT2Recipe(ContentSequenceRecipe):
    """Configuration of the decoder over items and time (see models/temporal_gpt2.py)."""

    heads: int = 2
    feed_width: int = 256  # GPT-2's own four times the width
    dropout: float = 0.3
    start_scale: float = 0.125
    temperature: float = 0.07
    numbers: bool = True
    time: bool = True  # season, celebrations, time of the week, gap and session
    stars: bool = True
    place_columns: int = 32  # that places are hashed into; 0 leaves them out
    session_hours: float = 24.0  # without an event, after which a new session begins; some sources know days alone


def temporal_gpt2() -> TemporalGPT2Recipe:
    """The model of seed 3, of a size that two cores train in minutes."""
    return TemporalGPT2Recipe(name="temporal_gpt2", family="temporal_gpt2", max_epochs=100)


@dataclass(frozen=True)
class AttentionRecipe(TrainedRecipe):
    """Configuration of the attention over IDs and contents (see models/attention_contrastive.py)."""

    width: int = 64
    heads: int = 4
    hidden: int = 128  # of the layers behind attention
    dropout: float = 0.1
    user_token: bool = True  # the user is among the tokens, as the seed says; else a vector beside them, which folds
    start_scale: float = 0.1  # standard deviation of a user's or item's vector at the start
    id_dropout: float = 0.1  # share of item IDs hidden in training, so that new items are learned by their contents
    content_dropout: float = 0.1  # share of texts, images and numbers hidden in training
    loss: str = "bpr"  # bpr, or softmax over sampled items where the user is no token
    negatives: int = 1_024  # that a batch shares, for softmax
    whole_catalogue: bool = False  # negatives are of all items, not of those alone that somebody had
    contrast: float = 0.1  # weight of CLIP's vision-text contrast; 0 is none
    contrast_temperature: float = 0.07
    steps_per_epoch: int = 200
    min_batch: int = 256  # pairs; small data takes fewer steps


def attention_contrastive() -> AttentionRecipe:
    """The model as its seed describes it: user, item, vision, language and numbers under one attention."""
    return AttentionRecipe(
        name="attention_contrastive",
        family="attention",
        optimizer="adamw",
        weight_decay=1e-2,
        schedule="cosine",
        warmup_epochs=1,
        max_epochs=30,  # the seed's
        validation_users=200,  # every pair goes through attention
    )


def attention_towers() -> AttentionRecipe:
    """The same without the user among the tokens: an item is fused once, and a slate is an inner product away."""
    return replace(
        attention_contrastive(),
        name="attention_towers",
        user_token=False,
        loss="softmax",
        whole_catalogue=True,
        steps_per_epoch=48,
        learning_rate=5e-3,
        validation_users=2_000,
    )


@dataclass(frozen=True)
class NcfRecipe(TrainedRecipe):
    """Configuration of the rating regression (see models/ncf.py); the defaults are the seed's."""

    width: int = 64  # of users, movies, and the projections of title and genres
    hidden: tuple[int, ...] = (128, 64)
    dropout: float = 0.2
    start_scale: float = 0.1  # standard deviation of a user's or movie's vector at the start
    batch: int = 1_024  # rated pairs


def ncf_rating() -> NcfRecipe:
    """Stars from user, movie, title and genres."""
    return NcfRecipe(
        name="ncf_rating",
        family="ncf",
        weight_decay=1e-5,
        stop_by="validation_loss",
        max_epochs=30,
        patience=3,
        validation_users=500,  # their slates are shown beside the loss, and every pair goes through the layers
    )


@dataclass(frozen=True)
class EaseTextRecipe(Recipe):
    """Configuration of EASE with text (see models/ease_text.py for the equation)."""

    ridge: float = 120.0  # lambda
    text_weight: float = 1.0  # the text term's mean over the mean of the co-occurrences; 0 is plain EASE
    text_power: float = 3.0
    user_exponent: float = 0.5  # a
    item_exponent: float = 0.3  # b
    kept: int = 1_000  # largest entries kept of each column of B; fewer lose recall


@dataclass(frozen=True)
class TextKnnRecipe(Recipe):
    """Configuration of the item-kNN by text and co-reviews (see models/text_knn.py for the equation)."""

    neighbours: int = 100  # kept an item, of each kind
    text_weight: float = 1.0  # the text term's sum over that of the co-occurrences
    text_power: float = 3.0
    user_exponent: float = 0.5
    item_exponent: float = 0.3
    history: int = 50  # last events of a user that count as co-occurring
    co_reviews: bool = True  # without them it is a kernel of the text alone


@dataclass(frozen=True)
class ItemKnnRecipe(Recipe):
    """Configuration of item-kNN (see models/item_knn.py)."""

    neighbours: int = 200  # kept an item
    shrinkage: float = 100.0  # added to the cosine's denominator; events are few, and a cosine of few is chance
    history: int = 200  # last events of a user that count as co-occurring: cost, not meaning


@dataclass(frozen=True)
class UserKnnRecipe(Recipe):
    """Configuration of user-kNN (see models/user_knn.py)."""

    neighbours: int = 400
    shrinkage: float = 3.0


@dataclass(frozen=True)
class BlendRecipe(Recipe):
    """Configuration of a blend (see models/blend.py): the weight of each part's standardised scores, and the part."""

    parts: tuple[tuple[float, Recipe], ...] = ()


def ease_text() -> EaseTextRecipe:
    """The floor."""
    return EaseTextRecipe(name="ease_text", family="ease_text")


def ease() -> EaseTextRecipe:
    """EASE as Steck (2019) gives it, by identifiers alone; the ridge is his for the sparsest of his data."""
    return EaseTextRecipe(
        name="ease", family="ease_text", ridge=200.0, text_weight=0.0, user_exponent=0.0, item_exponent=0.0
    )


def text_knn() -> TextKnnRecipe:
    """The floor of a catalogue too large for the other."""
    return TextKnnRecipe(name="text_knn", family="text_knn")


def text_kernel() -> TextKnnRecipe:
    """Items of alike text: weak alone, but it errs differently, and it knows items that nobody had."""
    return TextKnnRecipe(name="text_kernel", family="text_knn", neighbours=500, co_reviews=False)


def item_knn() -> ItemKnnRecipe:
    """Items that the same people had."""
    return ItemKnnRecipe(name="item_knn", family="item_knn")


def user_knn() -> UserKnnRecipe:
    """What the people had who had the same things."""
    return UserKnnRecipe(name="user_knn", family="user_knn")


def popularity() -> Recipe:
    """How many people had an item."""
    return Recipe(name="popularity", family="popularity")


def random_scores() -> Recipe:
    """Seeded noise: what shows that the exam can be failed."""
    return Recipe(name="random", family="random")


def _blend(name: str, *parts: tuple[float, Recipe]) -> BlendRecipe:
    return BlendRecipe(name=name, family="blend", parts=parts)


def ease_sage() -> BlendRecipe:
    """A sparse local model and a smooth global one, which err differently."""
    return _blend("ease_sage", (0.2, ease_text()), (0.8, sage_fm_softmax()))


def ease_kernel_sage() -> BlendRecipe:
    """The same with the text kernel; the weights are those of most NDCG on validation users of sports and beauty."""
    return _blend("ease_kernel_sage", (0.1, ease_text()), (0.05, text_kernel()), (0.85, sage_fm_softmax()))


def ease_kernel() -> BlendRecipe:
    """`ease_kernel_sage` without its graph, which shows what that is worth."""
    return _blend("ease_kernel", (0.1, ease_text()), (0.05, text_kernel()))


def ease_lightgcn_sage() -> BlendRecipe:
    """For data of identifiers alone, where what people had is all there is; weighed on validation users of baby."""
    return _blend("ease_lightgcn_sage", (0.2, ease_text()), (0.5, lightgcn()), (0.3, sage_fm_softmax()))


def ease_lightgcn() -> BlendRecipe:
    """`ease_lightgcn_sage` without SAGE, which shows what that is worth."""
    return _blend("ease_lightgcn", (0.3, ease_text()), (0.7, lightgcn()))


def sequence_sage() -> BlendRecipe:
    """For histories in order: two that read the order, the graph, and texts; weighed on validation users of beauty."""
    return _blend(
        "sequence_sage", (0.05, text_kernel()), (0.3, sage_fm_softmax()), (0.4, temporal_gpt2()), (0.25, sasrec())
    )


def sequence_kernel() -> BlendRecipe:
    """`sequence_sage` without its graph, which shows what that is worth."""
    return _blend("sequence_kernel", (0.05, text_kernel()), (0.6, temporal_gpt2()), (0.35, sasrec()))


RECIPES: dict[str, Callable[[], Recipe]] = {
    "sage_fm": sage_fm,
    "sage_fm_seed": sage_fm_seed,
    "sage_fm_debug": sage_fm_debug,
    "sage_fm_end_to_end": sage_fm_end_to_end,
    "sage_fm_end_to_end_small": sage_fm_end_to_end_small,
    "sage_fm_softmax": sage_fm_softmax,
    "bpr_mf": bpr_mf,
    "lightgcn": lightgcn,
    "sasrec": sasrec,
    "gated_sequence": gated_sequence,
    "temporal_gpt2": temporal_gpt2,
    "ncf_rating": ncf_rating,
    "attention_contrastive": attention_contrastive,
    "attention_towers": attention_towers,
    "ease_text": ease_text,
    "ease": ease,
    "text_knn": text_knn,
    "text_kernel": text_kernel,
    "item_knn": item_knn,
    "user_knn": user_knn,
    "ease_sage": ease_sage,
    "ease_kernel_sage": ease_kernel_sage,
    "ease_kernel": ease_kernel,
    "ease_lightgcn_sage": ease_lightgcn_sage,
    "ease_lightgcn": ease_lightgcn,
    "sequence_sage": sequence_sage,
    "sequence_kernel": sequence_kernel,
    "popularity": popularity,
    "random": random_scores,
}


def recipe(name: str) -> Recipe:
    """Return the recipe called `name`; UsageError for an unknown one."""
    if name not in RECIPES:
        raise UsageError(f"unknown recipe {name!r}: name one of {', '.join(sorted(RECIPES))}")
    return RECIPES[name]()


def restored(name: str, values: Mapping[str, str]) -> Recipe:
    """Return the recipe as it was when its fit logged these values: what its name means may have changed since."""
    now = recipe(name)
    logged = {field.name: values[field.name] for field in fields(now) if field.name in values}
    changes: dict[str, Any] = {key: _parsed(text, getattr(now, key)) for key, text in logged.items()}
    if "parts" in changes:
        changes["parts"] = tuple((weight, _part(values)) for weight, values in changes["parts"])
    return replace(now, **changes)


def _part(values: dict[str, Any]) -> Recipe:
    """Return a blend's part out of its logged fields: JSON knows lists where a recipe has tuples."""
    now = recipe(values["name"])
    known = {field.name for field in fields(now)}
    plain: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items() if key in known
    }
    return replace(now, **plain)


def _parsed(text: str, like: Any) -> Any:
    """Return a logged value as the type of the field's value now."""
    if isinstance(like, bool):
        return text == "True"
    if isinstance(like, tuple):
        return tuple(json.loads(text))
    return type(like)(text)


# the recipe that does best on a layout's data (recsys_jobs/exam_data), where that was measured
_BEST = {
    "split_file": "ease_kernel_sage",
    "sequences": "sequence_sage",
    "csv_folder": "sage_fm",
    "movielens": "sage_fm",
    "lake": "sage_fm",
}


def best_recipe(layout: str) -> str:
    """Return the name of the best recipe that is known for data of this layout."""
    return _BEST[layout]
