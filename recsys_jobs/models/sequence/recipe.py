"""Recipes of the families over sequences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from recsys_jobs.training.recipe import Recipe, TrainedRecipe


@dataclass(frozen=True)
class SequenceRecipe(TrainedRecipe):
    """Configuration of a family over sequences (models/sequence/learner.py); the defaults are SASRec's."""

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
    """Configuration of the gated sequence model (see models/sequence/gated_sequence.py)."""

    start_scale: float = 0.125  # so that a learned row of 64 is about as long as a projected content
    temperature: float = 0.07  # of the contrast


def gated_sequence() -> GatedSequenceRecipe:
    """The model of seed 0."""
    return GatedSequenceRecipe(name="gated_sequence", family="gated_sequence", heads=2, max_epochs=100)


@dataclass(frozen=True)
class TemporalGPT2Recipe(ContentSequenceRecipe):
    """Configuration of the decoder over items and time (see models/sequence/temporal_gpt2.py)."""

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


RECIPES: dict[str, Callable[[], Recipe]] = {
    "sasrec": sasrec,
    "gated_sequence": gated_sequence,
    "temporal_gpt2": temporal_gpt2,
}
FAMILIES = {
    "sasrec": "recsys_jobs.models.sequence.sasrec",
    "gated_sequence": "recsys_jobs.models.sequence.gated_sequence",
    "temporal_gpt2": "recsys_jobs.models.sequence.temporal_gpt2",
}
