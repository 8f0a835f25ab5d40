"""What an epoch of a family cannot do without: operations of its dense products, bytes of its gathers and of Adam.

A dense layer costs 2 operations a weight and row forward, twice that backward; contents need no gradient, so
that a projection of them goes backward once. Adam reads weight, gradient and two moments, writes three: 28 bytes.
Attention's own products, softmax, dropout and norms are left out, as small beside these.

P pairs, T targets, C candidates, U users, I items, D width, L layers, B blocks, F width of a feed-forward.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from recsys_jobs.models.attention.recipe import AttentionRecipe
from recsys_jobs.models.lightgcn.recipe import LightGCNRecipe
from recsys_jobs.models.ncf.recipe import NcfRecipe
from recsys_jobs.models.sage_softmax.recipe import SageSoftmaxRecipe
from recsys_jobs.models.sequence.recipe import SequenceRecipe
from recsys_jobs.training.recipe import Recipe

_ADAM = 28.0  # bytes a weight and step


class Size(NamedTuple):
    """What a floor depends on beside the recipe."""

    users: int
    items: int
    pairs: int  # that an epoch learns from
    steps: int
    text_width: int


class Work(NamedTuple):
    """Operations and bytes of an epoch (or of a closed form)."""

    operations: float
    bytes_: float

    def seconds(self, operations_speed: float, bytes_speed: float) -> float:
        """Return the time at these speeds a second, nothing overlapping."""
        return self.operations / operations_speed + self.bytes_ / bytes_speed


def floor(recipe: Recipe, size: Size) -> Work:
    """Return the least work of an epoch of a recipe's family."""
    floors: dict[type, Any] = {
        LightGCNRecipe: _graph,
        AttentionRecipe: _attention,
        NcfRecipe: _ncf,
        SageSoftmaxRecipe: _softmax_graph,
    }
    if isinstance(recipe, SequenceRecipe):
        return _sequence(recipe, size)
    work: Work = floors.get(type(recipe), _closed_form)(recipe, size)
    return work


def _closed_form(recipe: Recipe, size: Size) -> Work:
    """I^3 operations: a third for Cholesky's factor, two for the inverse from it."""
    return Work(float(size.items) ** 3, 0.0)


def _graph(recipe: LightGCNRecipe, size: Size) -> Work:
    """2 steps L 2P rows gathered by the products, 6 P by the pairs and back, and Adam over all nodes."""
    row_bytes = 4.0 * recipe.width
    gathered = 2 * size.steps * recipe.layers * 2 * size.pairs + 6 * size.pairs
    return Work(0.0, gathered * row_bytes + _adam(recipe.width, size))


def _softmax_graph(recipe: SageSoftmaxRecipe, size: Size) -> Work:
    """6 U I D of the scores, each step's projected contents; 4 steps L P + 2 P rows gathered, Adam over items."""
    scores = 6.0 * size.users * size.items * recipe.width
    contents = 4.0 * size.steps * size.items * size.text_width * recipe.width
    gathered = (4 * size.steps * recipe.layers + 2) * size.pairs
    adam = _ADAM * size.steps * size.items * recipe.width
    return Work(scores + contents, gathered * 4.0 * recipe.width + adam)


def _sequence(recipe: SequenceRecipe, size: Size) -> Work:
    """6 T B (4 D^2 + 2 D F) of the blocks, 6 T C D of the scores, and the projection of each step's contents.

    T is the targets, each a place of its own; a step knows at least its candidates' contents.
    """
    width, candidates = recipe.width, min(recipe.negatives, size.items)
    blocks = 6.0 * size.pairs * recipe.blocks * (4 * width**2 + 2 * width * recipe.feed_width)
    scores = 6.0 * size.pairs * candidates * width
    contents = 4.0 * size.steps * candidates * size.text_width * width
    return Work(blocks + scores + contents, _ADAM * size.steps * size.items * width)


def _attention(recipe: AttentionRecipe, size: Size) -> Work:
    """Of each pair and its negative: 3 tokens through 4 D^2 weights, the text's projection, the readout."""
    width, rows = recipe.width, 2 * size.pairs
    tokens = 6.0 * rows * 3 * 4 * width**2
    readout = 6.0 * rows * (2 * width + 1) * recipe.hidden
    contents = 4.0 * rows * size.text_width * width
    return Work(tokens + readout + contents, _adam(width, size))


def _ncf(recipe: NcfRecipe, size: Size) -> Work:
    """The layers over user, item and projected text, and the text's projection."""
    widths_in = (3 * recipe.width, *recipe.hidden)
    widths_out = (*recipe.hidden, 1)
    weights = sum(width_in * width_out for width_in, width_out in zip(widths_in, widths_out, strict=True))
    layers = 6.0 * size.pairs * weights
    contents = 4.0 * size.pairs * size.text_width * recipe.width
    return Work(layers + contents, _adam(recipe.width, size))


def _adam(width: int, size: Size) -> float:
    return _ADAM * size.steps * (size.users + size.items) * width
