"""Attention over the modalities that are present."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from recsys_jobs.models.layers.fusion import Attention, Part, masked_softmax, of_length_one

NAMES = ("text", "image", "graph")


def parts(present_BM: list[list[bool]], width: int = 4) -> dict[str, Part]:
    torch.manual_seed(1)
    columns = torch.tensor(present_BM).T
    return {
        name: Part(torch.randn(len(present_BM), width), column) for name, column in zip(NAMES, columns, strict=True)
    }


def attention() -> Attention:
    torch.manual_seed(0)
    module = Attention(NAMES, 4)
    torch.nn.init.normal_(module.weight_MD)
    return module


@settings(deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=8))
def test_weights_sum_to_one_over_the_present(present_BM: list[list[bool]]) -> None:
    fused = attention()(parts(present_BM))
    present = torch.tensor(present_BM)
    assert (fused.attention_BM[~present] == 0).all()
    assert (fused.attention_BM[present] > 0).all()
    assert torch.allclose(fused.attention_BM.sum(1), present.any(1).float(), atol=1e-6)
    assert (fused.vector_BD[~present.any(1)] == 0).all()


def test_the_seed_s_formula() -> None:
    module, given_parts = attention(), parts([[True, True, True]])
    logits = [
        module.weight_MD[m] @ torch.tanh(module.hidden.weight @ given_parts[name].vector_BD[0] + module.hidden.bias)
        for m, name in enumerate(NAMES)
    ]
    weights = [logit.exp() / sum(other.exp() for other in logits) for logit in logits]
    expected = sum(weight * given_parts[name].vector_BD[0] for weight, name in zip(weights, NAMES, strict=True))
    assert isinstance(expected, Tensor)
    assert torch.allclose(module(given_parts).vector_BD[0], expected, atol=1e-6)


def test_what_stands_in_a_missing_modality_does_not_matter() -> None:
    before = parts([[True, False, True]])
    after = before | {"image": Part(before["image"].vector_BD + 1e6, before["image"].present_B)}
    assert torch.equal(attention()(before).vector_BD, attention()(after).vector_BD)


def test_a_modality_that_is_not_given_is_missing_for_everyone() -> None:
    given_parts = parts([[True, True, False], [True, False, True]])
    absent = given_parts | {"text": Part(given_parts["text"].vector_BD, torch.tensor([False, False]))}
    without = {name: part for name, part in given_parts.items() if name != "text"}
    assert torch.equal(attention()(absent).vector_BD, attention()(without).vector_BD)


def test_a_far_higher_missing_logit_neither_overflows_nor_spoils_the_gradient() -> None:
    logits = torch.tensor([[300.0, 0.0, 0.0], [300.0, 300.0, 300.0]], requires_grad=True)
    weights = masked_softmax(logits, torch.tensor([[False, True, True], [False, False, False]]))
    assert weights.tolist() == [[0.0, 0.5, 0.5], [0.0, 0.0, 0.0]]
    weights[:, 1].sum().backward()
    assert logits.grad is not None and torch.isfinite(logits.grad).all()


def test_of_parts_of_length_one_none_outweighs_another_by_its_length() -> None:
    """A part a thousand times as long takes the whole vector at equal attention; of length one it takes its share."""
    given_parts = parts([[True, True, True]])
    long = given_parts | {"text": Part(given_parts["text"].vector_BD * 1e3, given_parts["text"].present_B)}
    module = Attention(NAMES, 4)  # which at first weighs all alike
    alone = torch.nn.functional.normalize(given_parts["text"].vector_BD, dim=1)
    towards_text = torch.nn.functional.cosine_similarity(module(long).vector_BD, alone)
    assert towards_text > 0.999
    assert torch.allclose(
        module(of_length_one(long)).vector_BD, module(of_length_one(given_parts)).vector_BD, atol=1e-6
    )


def test_a_part_of_nothing_stays_nothing() -> None:
    empty = of_length_one({"text": Part(torch.zeros(2, 4, requires_grad=True), torch.tensor([True, False]))})
    assert not empty["text"].vector_BD.any()
    empty["text"].vector_BD.sum().backward()
