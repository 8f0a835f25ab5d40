"""The floor: EASE (Steck 2019, Embarrassingly Shallow Autoencoders) with item text in its Gram matrix.

G = X^T D_u^-a X + beta D_i^b (T^3 with a zero diagonal) D_i^b        a = 1/2, b = 0.3
P = (G + lambda I)^-1        B_ij = -P_ij / P_jj, zero diagonal        scores = X_all B

X has the core's events of the cut (1 where a user had an item) over all eligible items, X_all every
event: whoever is scored is scored by the whole history. D_u and D_i are degrees in X, at least 1.
T = max(M M^T, 0), its power elementwise, M the items' text vectors, centred and of length one, zero
where there is none; so an item that nobody had takes part through its text. beta makes the mean of
the text term `text_weight` times the mean off-diagonal of the first.

It takes 4 I^2 bytes for G, as much for its factor, in whose place the inverse comes to stand, and half
as much on the way, and 2 I^3 operations: for 18,000 items 3.4 GB and a minute or two on two cores.
Above `floor_max_items` see text_knn. Of each column of B the `kept` entries of largest size stay.

U users, I items, E events, N nonzero entries, D width, B block of rows or columns, K kept rows of a column.
"""

from __future__ import annotations

import logging

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Bools, Dataset
from recsys_jobs.data.histories import events_matrix
from recsys_jobs.models.base.item_to_item import ItemToItemModel, load
from recsys_jobs.models.closed_form.recipe import EaseTextRecipe
from recsys_jobs.models.layers.item_text import unit_item_texts
from recsys_jobs.models.layers.matrix_inverse import inverse_from_factor
from recsys_jobs.ranking.stable_top_k import stable_top_k

__all__ = ["fit", "load"]
_DOUBLINGS = 20
_BLOCK = 1_024  # rows or columns of an I x I matrix handled at once

log = logging.getLogger(__name__)


def fit(
    dataset: Dataset,
    recipe: EaseTextRecipe,
    *,
    train_E: Bools | None = None,
    device: torch.device | None = None,
) -> ItemToItemModel:
    """Return the model fitted on the events `train_E`; on the whole core unless given: nothing here stops early.

    Raises JobError where memory does not suffice, or no reasonable ridge makes G positive definite.
    """
    train_UI = events_matrix(dataset, dataset.in_core_E if train_E is None else train_E)
    unit_ID = unit_item_texts(dataset) if recipe.text_weight else torch.zeros(len(dataset.items), 0)
    try:
        weight_II = solve(gram(train_UI, unit_ID.to(device or torch.device("cpu")), recipe), recipe.ridge)
    except (MemoryError, torch.OutOfMemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "alloc" not in str(error):
            raise
        raise JobError(
            f"{recipe.name} needs 2.5 times 4 * {len(dataset.items)}^2 bytes of memory: lower floor_max_items"
        ) from None
    return ItemToItemModel(dataset, strongest(weight_II, recipe.kept))


def gram(train_UI: sparse.csr_matrix, unit_ID: Tensor, recipe: EaseTextRecipe) -> Tensor:
    """Return G [I, I], float32, on the device of `unit_ID`."""
    user_degree_U = np.maximum(np.diff(train_UI.indptr), 1)
    item_degree_I = np.maximum(np.bincount(train_UI.indices, minlength=train_UI.shape[1]), 1)
    scale_I = torch.from_numpy(item_degree_I**recipe.item_exponent).float().to(unit_ID.device)
    scaled_UI = sparse.diags_array(user_degree_U**-recipe.user_exponent) @ train_UI
    co_review_II = (train_UI.T @ scaled_UI).tocoo()
    off_diagonal_N = co_review_II.row != co_review_II.col
    gram_II = _text_term(unit_ID, scale_I, recipe.text_power)
    text_total = float(gram_II.sum(dtype=torch.float64))
    gram_II *= recipe.text_weight * float(co_review_II.data[off_diagonal_N].sum()) / text_total if text_total else 0.0
    index_2N = torch.from_numpy(np.stack(co_review_II.coords).astype(np.int64)).to(unit_ID.device)
    value_N = torch.from_numpy(co_review_II.data.astype(np.float32)).to(unit_ID.device)
    return gram_II.index_put_((index_2N[0], index_2N[1]), value_N, accumulate=True)


def _text_term(unit_ID: Tensor, scale_I: Tensor, power: float) -> Tensor:
    """Return D_i^b T^power D_i^b without its diagonal, a block of rows at a time."""
    items = len(unit_ID)
    term_II = unit_ID.new_empty(items, items)
    for start in range(0, items, _BLOCK):
        rows = slice(start, start + _BLOCK)
        likeness_BI = (unit_ID[rows] @ unit_ID.T).clamp_(min=0).pow_(power)
        term_II[rows] = likeness_BI.mul_(scale_I).mul_(scale_I[rows, None])
    return term_II.fill_diagonal_(0)


def solve(gram_II: Tensor, ridge: float) -> Tensor:
    """Return B [I, I] for this G, to which the ridge is added."""
    inverse_II = inverse_from_factor(_factor(gram_II, ridge))
    inverse_II /= -inverse_II.diagonal().clone()
    return inverse_II.fill_diagonal_(0)


def _factor(gram_II: Tensor, ridge: float) -> Tensor:
    """Return the Cholesky factor of G + ridge I.

    The text term has no diagonal of its own and may leave that indefinite: the ridge is doubled until it is not.
    """
    gram_II.diagonal().add_(ridge)
    for _ in range(_DOUBLINGS):
        factor_II, failed = torch.linalg.cholesky_ex(gram_II)
        if not int(failed):
            return factor_II
        del factor_II  # three of this size do not fit where two do
        log.info("the ridge %g leaves the Gram matrix indefinite: doubled", ridge)
        gram_II.diagonal().add_(ridge)
        ridge *= 2
    raise JobError("the floor's Gram matrix is not positive definite: give the recipe a larger ridge")


def strongest(weight_II: Tensor, kept: int) -> sparse.csr_matrix:
    """Return B with the `kept` largest entries by size of each column, of equal ones the first rows'."""
    items = len(weight_II)
    kept = min(kept, items)
    row_parts, value_parts = [], []
    for start in range(0, items, _BLOCK):
        block_BI = weight_II[:, start : start + _BLOCK].T.contiguous()
        row_BK = stable_top_k(block_BI.abs(), kept)
        row_parts.append(row_BK.cpu())
        value_parts.append(block_BI.gather(1, row_BK).cpu())
    pointers = np.arange(items + 1) * kept
    by_column = (torch.cat(value_parts).flatten().numpy(), torch.cat(row_parts).flatten().numpy(), pointers)
    weight = sparse.csc_matrix(by_column, shape=(items, items)).tocsr()
    weight.eliminate_zeros()
    return weight
