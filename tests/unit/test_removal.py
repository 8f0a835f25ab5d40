"""Contents that go: how many, which, and that what rests on them falls while the rest stands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recsys_jobs.exam import modality_ablation
from recsys_jobs.exam.modality_ablation import Removal, removals, without_contents
from recsys_jobs.exam.options import MODALITIES
from recsys_jobs.exam.results import Row
from tests.unit.test_attention import RECIPES, kinds_of_items, new_items_told_apart
from tests.unit.worlds import with_everything

pytestmark = pytest.mark.usefixtures("one_thread")


def test_each_modality_at_each_share() -> None:
    assert [str(gone) for gone in removals(MODALITIES)] == [
        *("image 30%", "image 60%", "image 90%", "text 30%", "text 60%", "text 90%")
    ]
    assert removals(()) == []


@pytest.mark.parametrize("modality", MODALITIES)
def test_so_many_are_gone_and_more_holds_less(modality: str) -> None:
    data = with_everything(items=60)
    name = f"{modality}_present_I"
    left = [getattr(without_contents(data, gone, 0), name) for gone in removals((modality,))]
    count = int(getattr(data, name).sum())
    assert [int(one.sum()) for one in left] == [count - round(share * count) for share in modality_ablation.SHARES]
    assert all((more <= less).all() for less, more in zip(left, left[1:], strict=False))
    assert (left[0] <= getattr(data, name)).all()


def test_images_go_and_words_stay_and_the_reverse() -> None:
    terms = {"term_item_P": np.repeat(np.arange(60), 2), "term_P": np.tile([3, 4], 60)}
    data = replace(with_everything(items=60), **terms)
    blind = without_contents(data, Removal("image", 0.6), 0)
    assert not blind.image_IV[~blind.image_present_I].any()
    assert np.array_equal(blind.text_IT, data.text_IT) and len(blind.term_P) == 120
    mute = without_contents(data, Removal("text", 0.6), 0)
    assert np.array_equal(mute.image_IV, data.image_IV)
    assert not mute.text_IT[~mute.text_present_I].any()
    assert set(mute.term_item_P) == set(range(60)) - set(np.flatnonzero(data.text_present_I & ~mute.text_present_I))
    assert len(mute.term_P) == len(mute.term_item_P)
    shown = mute.review_E[mute.review_E >= 0]
    assert (mute.review_E[mute.review_E != data.review_E] == -1).all()
    assert len(set(shown)) < 0.5 * len(data.review_RT)


@pytest.mark.parametrize("modality", MODALITIES)
def test_what_rests_on_a_modality_falls_with_it(modality: str) -> None:
    """The kind of a new item shows in one modality alone: without most of it, few are told apart."""
    data, recipe = kinds_of_items(modality), RECIPES[1]
    other = next(name for name in MODALITIES if name != modality)
    left = {name: new_items_told_apart(recipe, without_contents(data, Removal(name, 0.9), 0)) for name in MODALITIES}
    assert left[other] > 0.95
    assert left[modality] < 0.75


def row(value: float, removed: str) -> Row:
    place = {"recipe": "sage_fm", "slice": "all", "metric": "ndcg", "k": 20, "removed": removed}
    return place | {"value": value, "low": value - 0.01, "high": value + 0.01}


def test_the_curve_starts_from_the_whole_exam(tmp_path: Path) -> None:
    rows = [row(0.5, ""), row(0.4, "image 30%"), row(0.3, "image 60%"), row(0.2, "image 90%")]
    found = modality_ablation.curves(rows, 20)
    assert {name: [(share, r["value"]) for share, r in points] for name, points in found.items()} == {
        "sage_fm, image": [(0.0, 0.5), (0.3, 0.4), (0.6, 0.3), (0.9, 0.2)]
    }
    text = modality_ablation.table(found, "NDCG@20 by the share removed").splitlines()
    assert text[1].split() == ["model,", "modality", "gone", "0%", "30%", "60%", "90%"]
    assert text[2].startswith("sage_fm, image")
    assert "0.2000 [0.1900, 0.2100]" in text[2]
    assert modality_ablation.write_plot(found, "shop", tmp_path / "shop.json").stat().st_size > 5_000
