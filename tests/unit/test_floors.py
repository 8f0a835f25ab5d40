"""The floors that the speed of an epoch is told beside, on sizes that can be counted by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.floors import Size, Work, floor
from recsys_jobs.models.attention.recipe import attention_contrastive
from recsys_jobs.models.closed_form.recipe import ease
from recsys_jobs.models.lightgcn.recipe import bpr_mf, lightgcn
from recsys_jobs.models.ncf.recipe import ncf_rating
from recsys_jobs.models.sage_softmax.recipe import sage_fm_softmax
from recsys_jobs.models.sequence.recipe import sasrec

SIZE = Size(users=3, items=2, pairs=4, steps=2, text_width=0)


def test_matrix_factorisation_moves_its_rows_and_adams_weights() -> None:
    rows = 6 * 4 * 4 * 10  # three rows of ten floats a pair, there and back
    adam = 28 * 2 * (3 + 2) * 10
    assert floor(replace(bpr_mf(), width=10), SIZE) == Work(0.0, rows + adam)


def test_each_layer_of_a_graph_gathers_every_edge_from_both_ends_forward_and_backward() -> None:
    plain = floor(replace(lightgcn(), width=10, layers=0), SIZE).bytes_
    edges = 2 * 2 * (2 * 4) * 4 * 10  # two passes, two steps, four pairs from both ends, ten floats
    assert floor(replace(lightgcn(), width=10, layers=1), SIZE).bytes_ == plain + edges


def test_a_sequence_model_multiplies_its_blocks_and_its_candidates() -> None:
    recipe = replace(sasrec(), width=10, feed_width=5, blocks=1, negatives=100)
    blocks = 6 * 4 * (4 * 100 + 2 * 10 * 5)
    scores = 6 * 4 * 2 * 10  # no more candidates than there are items
    assert floor(recipe, SIZE).operations == blocks + scores


def test_a_softmax_over_the_catalogue_scores_everyone_and_gathers_histories_twice_a_layer() -> None:
    recipe = replace(sage_fm_softmax(), width=10, layers=1)
    gathered = (2 * 2 * 2 * 4 + 2 * 4) * 4 * 10  # two factors there and back, two steps; users' own rows there and back
    assert floor(recipe, SIZE) == Work(6.0 * 3 * 2 * 10, gathered + 28 * 2 * 2 * 10)


def test_a_text_is_projected_forward_and_once_back() -> None:
    wide = SIZE._replace(text_width=7)
    attention, ncf = replace(attention_contrastive(), width=10), replace(ncf_rating(), width=10)
    assert floor(attention, wide).operations - floor(attention, SIZE).operations == 4 * (2 * 4) * 7 * 10
    assert floor(ncf, wide).operations - floor(ncf, SIZE).operations == 4 * 4 * 7 * 10


def test_a_closed_form_inverts_a_matrix() -> None:
    assert floor(ease(), SIZE) == Work(8.0, 0.0)


def test_operations_and_bytes_add_up_to_seconds() -> None:
    assert Work(6.0, 8.0).seconds(3.0, 2.0) == pytest.approx(6.0)
