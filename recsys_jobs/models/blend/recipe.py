"""Recipes of blends: their weights were chosen on validation users (docs/accuracy.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from recsys_jobs.models.closed_form.recipe import ease_text, text_kernel
from recsys_jobs.models.lightgcn.recipe import lightgcn
from recsys_jobs.models.recent.recipe import multimodal_knn_recent
from recsys_jobs.models.sage_recent.recipe import sage_fm_recent
from recsys_jobs.models.sage_softmax.recipe import sage_fm_softmax
from recsys_jobs.models.sequence.recipe import sasrec, temporal_gpt2
from recsys_jobs.training.recipe import ComposedRecipe, Recipe


@dataclass(frozen=True)
class BlendRecipe(ComposedRecipe):
    """Configuration of a blend (see learner.py), whose weights are those of the parts' standardised scores."""


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


def recent_sage() -> BlendRecipe:
    """What nights fit: neighbours and a graph, both of which know which day it is; weighed on windows before the cut.

    Neighbours' scores are few and far above the rest, so that a tenth of them already moves a slate.
    """
    return _blend("recent_sage", (0.1, multimodal_knn_recent()), (0.9, sage_fm_recent()))


def sequence_sage() -> BlendRecipe:
    """For histories in order: two that read the order, the graph, and texts; weighed on validation users of beauty."""
    return _blend(
        "sequence_sage", (0.05, text_kernel()), (0.3, sage_fm_softmax()), (0.4, temporal_gpt2()), (0.25, sasrec())
    )


def sequence_kernel() -> BlendRecipe:
    """`sequence_sage` without its graph, which shows what that is worth."""
    return _blend("sequence_kernel", (0.05, text_kernel()), (0.6, temporal_gpt2()), (0.35, sasrec()))


RECIPES: dict[str, Callable[[], Recipe]] = {
    "recent_sage": recent_sage,
    "ease_sage": ease_sage,
    "ease_kernel_sage": ease_kernel_sage,
    "ease_kernel": ease_kernel,
    "ease_lightgcn_sage": ease_lightgcn_sage,
    "ease_lightgcn": ease_lightgcn,
    "sequence_sage": sequence_sage,
    "sequence_kernel": sequence_kernel,
}
FAMILIES = {"blend": "recsys_jobs.models.blend.learner"}
