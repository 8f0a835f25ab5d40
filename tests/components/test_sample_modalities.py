"""In the sample, text, picture and graph each tell what the others do not: a model without one is worse for it.

The people are 4,000, of whom models learn from 2,000 and are asked about all: with every event to learn from, who
buys what soon says all that contents say, and it is the sparse catalogue that contents are for.
U people, I items, E events, T what they took next.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np
import pytest

from recsys_jobs.contracts.settings import Settings
from recsys_jobs.data.dataset import Dataset, Floats, Ints
from recsys_jobs.data.holdout import Holdout
from recsys_jobs.data.k_core import k_core
from recsys_jobs.embed.image import encode_images, load_image_encoder
from recsys_jobs.embed.text import encode_texts, load_text_encoder
from recsys_jobs.evaluation.bootstrap import Values, paired_difference
from recsys_jobs.evaluation.top_k_evaluation import evaluate_top_k
from recsys_jobs.models import families
from recsys_jobs.models.closed_form.recipe import text_knn
from recsys_jobs.models.sage_fm.recipe import sage_fm
from recsys_jobs.sample import photos
from recsys_jobs.sample.events import PLAIN, events
from recsys_jobs.sample.records import item_record
from recsys_jobs.sample.text import item_words
from recsys_jobs.sample.world import BLOCK, Catalogue, catalogue, people, stream
from tests import snapshot_rules
from tests.unit.worlds import dataset

pytestmark = [pytest.mark.slow, pytest.mark.prove, pytest.mark.timeout(1800)]

USERS, LEARNED_FROM, SEED = 4_000, 2_000, 0
ONLY_CONTENTS = 1e6  # a weight beside which co-reviews vanish


class Shop(NamedTuple):
    """The sample before its last 15 % of events, and those."""

    user_E: Ints
    item_E: Ints
    holdout: Holdout
    text_IT: Floats
    image_IV: Floats
    people: int


@pytest.fixture(scope="module")
def shop() -> Shop:
    world = catalogue(USERS, SEED)
    user_E, item_E, time_E = first_events(world)
    past_E = time_E <= np.quantile(time_E, 0.85)
    known_U, user_N = np.unique(user_E[past_E], return_inverse=True)
    later = ~past_E & np.isin(user_E, known_U)
    holdout = Holdout(np.searchsorted(known_U, user_E[later]), item_E[later])
    return Shop(user_N, item_E[past_E], holdout, texts(world), pictures(world), len(known_U))


def first_events(world: Catalogue) -> tuple[Ints, Ints, Ints]:
    """Users, items and times of everyone's first event with an item, in order of time."""
    parts = []
    for block in range(-(-USERS // BLOCK)):
        some, random = people(block, USERS, SEED)
        told = events(world, some, random)
        plain = told.role_E == PLAIN
        parts.append(np.stack([told.person_E[plain] + some.first, told.item_E[plain], told.time_E[plain]]))
    rows_3E = np.concatenate(parts, axis=1)
    rows_3E = rows_3E[:, np.lexsort((rows_3E[1], rows_3E[2]))]
    _, first = np.unique(rows_3E[0] * len(world) + rows_3E[1], return_index=True)
    user_E, item_E, time_E = rows_3E[:, np.sort(first)]
    return user_E, item_E, time_E


def texts(world: Catalogue) -> Floats:
    records = [item_record(world, item, USERS) for item in range(len(world))]
    told = ["\n".join([record["title"], *record["description"]]) for record in records]
    return encode_texts(load_text_encoder(Settings()), told)


def pictures(world: Catalogue) -> Floats:
    """Vectors of the photos, zeros where there is none."""
    shown = np.flatnonzero(world.photographed_I).tolist()
    words = [item_words(world, item) for item in shown]
    drawn = [
        photos.jpeg(photos.render(word.kind, word.colour, word.pattern, stream(SEED, 3, item)))
        for word, item in zip(words, shown, strict=True)
    ]
    vector_NV = encode_images(load_image_encoder(Settings()), drawn)
    spread_IV = np.zeros((len(world), vector_NV.shape[1]), np.float32)
    spread_IV[shown] = vector_NV
    return spread_IV


def learned_from(shop: Shop, people: int, draw: int, **changes: Any) -> Dataset:
    """The shop's past; fitting may look at the 2-core of `people` of them, drawn at random, and at no one else."""
    chosen_U = np.random.default_rng(draw).permutation(shop.people)[:people]
    chosen_E, core_E = np.isin(shop.user_E, chosen_U), np.zeros(len(shop.user_E), np.bool_)
    core_E[chosen_E] = k_core(shop.user_E[chosen_E], shop.item_E[chosen_E], 2, 2)
    weight = snapshot_rules.co_review_edges(shop.user_E[core_E], shop.item_E[core_E], history=50, per_item=50)
    ends = np.array(list(weight), np.int64)
    items, pairs = len(shop.text_IT), list(zip(shop.user_E.tolist(), shop.item_E.tolist(), strict=True))
    whole = {
        "in_core_E": core_E,
        "validation_E": snapshot_rules.validation_part(core_E, 0.1),
        "review_RT": np.zeros((0, shop.text_IT.shape[1]), np.float32),
        "text_IT": shop.text_IT,
        "text_present_I": np.ones(items, np.bool_),
        "image_IV": shop.image_IV,
        "image_present_I": shop.image_IV.any(1),
        "edge_src_K": ends[:, 0],
        "edge_dst_K": ends[:, 1],
        "edge_weight_K": np.array(list(weight.values()), np.float32),
    }
    return dataset(pairs, shop.people, items, **(whole | changes))


def ndcg(shop: Shop, data: Dataset, recipe: Any) -> Values:
    """NDCG at 10 of each person who took something new."""
    model = families.fit(data, recipe, seed=0).model
    return evaluate_top_k(model, data, shop.holdout, k_values=[10]).per_user("ndcg", 10)


@pytest.fixture(scope="module")
def whole(shop: Shop) -> Values:
    """`sage_fm` with everything, the mean of two draws of the people that it learns from."""
    return np.mean([ndcg(shop, learned_from(shop, LEARNED_FROM, draw), sage_fm()) for draw in (0, 1)], axis=0)


@pytest.mark.parametrize("modality", ["text", "image"])
def test_the_main_model_is_worse_without(modality: str, shop: Shop, whole: Values) -> None:
    nothing = np.zeros((len(shop.text_IT), 0), np.float32)
    absent = {f"{modality}_present_I": np.zeros(len(nothing), np.bool_)}
    absent |= {"text_IT": nothing, "review_RT": nothing[:0]} if modality == "text" else {"image_IV": nothing}
    without = np.mean(
        [ndcg(shop, learned_from(shop, LEARNED_FROM, draw, **absent), sage_fm()) for draw in (0, 1)], axis=0
    )
    assert paired_difference(whole, without, seed=0).low > 0


def test_neighbours_are_worse_without_the_graph(shop: Shop) -> None:
    """Items near in text and picture, with and without those that the same people reviewed."""
    unit_IV = shop.image_IV - shop.image_IV[shop.image_IV.any(1)].mean(0)
    unit_IV *= shop.image_IV.any(1)[:, None] / np.maximum(np.linalg.norm(unit_IV, axis=1, keepdims=True), 1e-6)
    both = np.concatenate([shop.text_IT, unit_IV], axis=1).astype(np.float32)
    data = learned_from(shop, shop.people, 0, text_IT=both, review_RT=np.zeros((0, both.shape[1]), np.float32))
    without = ndcg(shop, data, dataclasses.replace(text_knn(), text_weight=ONLY_CONTENTS))
    assert paired_difference(ndcg(shop, data, text_knn()), without, seed=0).low > 0
