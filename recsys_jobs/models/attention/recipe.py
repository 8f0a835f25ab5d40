"""Recipes of the attention over IDs and contents, and of the rating regression."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from recsys_jobs.training.recipe import Recipe, TrainedRecipe


@dataclass(frozen=True)
class AttentionRecipe(TrainedRecipe):
    """Configuration of the attention over IDs and contents (see models/attention/network.py)."""

    width: int = 64
    heads: int = 4
    hidden: int = 128  # of the layers behind attention
    dropout: float = 0.1
    user_token: bool = True  # the user is among the tokens, as the seed says; else a vector beside them, which folds
    start_scale: float = 0.1  # standard deviation of a user's or item's vector at the start
    id_dropout: float = 0.1  # share of item IDs hidden in training, so that new items are learned by their contents
    content_dropout: float = 0.1  # share of texts, images and numbers hidden in training
    negatives: int = 1_024  # that a batch shares where the user is no token; else each pair has its own
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
        whole_catalogue=True,
        steps_per_epoch=48,
        learning_rate=5e-3,
        validation_users=2_000,
    )


RECIPES: dict[str, Callable[[], Recipe]] = {
    "attention_contrastive": attention_contrastive,
    "attention_towers": attention_towers,
}
FAMILIES = {"attention": "recsys_jobs.models.attention.learner"}
