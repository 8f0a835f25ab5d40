"""A shop whose text encoder is from scratch: what people call on a published night finds the night's own encoder.

The encoder itself is faked: its place is taken by the one whose vectors the shop has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from recsys_jobs.challenges.challenge import challenge
from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import Settings, load_settings
from recsys_jobs.data.from_lake import load_dataset
from recsys_jobs.embed.from_scratch import encoders
from recsys_jobs.lake import lineage
from recsys_jobs.publishing import promote_rollback
from recsys_jobs.publishing.republish import republish_latest
from tests.components import shop_nights as shop
from tests.components.shop_nights import NIGHTS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two whole nights."""
    with shop.at_home(tmp_path_factory.mktemp("scratch"), NIGHTS[:2]) as home, pytest.MonkeyPatch.context() as patch:
        with (home / "shop.toml").open("a", encoding="utf-8") as file:
            file.write('text_encoder = "scratch_small"\n')
        patch.setattr(encoders, "encoders_of_cut", encoder_of)
        for night in NIGHTS[:2]:
            shop.run_night(night)
        yield home


def encoder_of(settings: Settings, cut: date) -> Settings:
    return replace(settings, text_encoder=Settings().text_encoder)


def test_the_configured_name_alone_says_nothing() -> None:
    with pytest.raises(JobError, match="'scratch_small' was not made"):
        load_dataset(NIGHTS[1], load_settings())


def test_publishing_the_latest_night_again() -> None:
    before = shop.slates(NIGHTS[1])
    republish_latest()
    assert shop.slates(NIGHTS[1]) == before
    assert lineage.load_publication(NIGHTS[1]).settings.text_encoder == Settings().text_encoder


def test_rolling_back_and_promoting() -> None:
    promote_rollback.rollback("", load_settings())
    assert shop.shown(NIGHTS[1])[1] == 1
    promote_rollback.promote(2, "", load_settings())
    assert shop.shown(NIGHTS[1])[1] == 2


def test_challenging() -> None:
    [verdict] = challenge(["popularity"], None, load_settings())
    assert verdict.challenger.fit.recipe.name == "popularity"
