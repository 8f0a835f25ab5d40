"""A night's context: the configuration's encoders from scratch become the night's own, whoever asks."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from recsys_jobs.contracts.settings import Settings
from recsys_jobs.contracts.tables import CUTS
from recsys_jobs.embed.from_scratch import encoders
from recsys_jobs.promotion.night_context import night_context, parse_night
from tests.unit.test_exam_data import delta_table

H, D = date(2014, 4, 20), date(2014, 5, 1)


@pytest.fixture(autouse=True)
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake with one night, configured for a text encoder from scratch."""
    (tmp_path / "shop.toml").write_text('recipe = "item_knn"\ntext_encoder = "scratch"\n', encoding="utf-8")
    monkeypatch.setenv("RECSYS_LAKE", str(tmp_path / "shop"))
    monkeypatch.setenv("RECSYS_CONFIG", str(tmp_path / "shop.toml"))
    delta_table(tmp_path / "shop", CUTS, [{"run_date": D, "exam_cut": H, "decidable": True}])
    monkeypatch.setattr(encoders, "encoders_of_cut", encoder_of)
    return tmp_path / "shop"


def encoder_of(settings: Settings, cut: date) -> Settings:
    """What `encoders_of_cut` does in earnest, without training one."""
    return replace(settings, text_encoder=f"/encoders/before-{cut}")


def test_the_encoder_from_scratch_is_the_one_of_the_night_s_exam_cut() -> None:
    assert night_context(D).settings.text_encoder == f"/encoders/before-{H}"


def test_settings_that_are_given_are_resolved_too_and_stay_as_they_are_otherwise() -> None:
    context = night_context(D, Settings(k=7, text_encoder="scratch_small"))
    assert (context.settings.k, context.settings.text_encoder) == (7, f"/encoders/before-{H}")


def test_an_encoder_with_a_name_of_its_own_is_left_alone() -> None:
    assert night_context(date(2030, 1, 1), Settings()).settings == Settings()  # no cut is looked up


def test_the_recipe_is_the_one_that_is_named_else_the_one_in_force() -> None:
    assert night_context(D).recipe == "item_knn"
    assert night_context(D, recipe="ease").recipe == "ease"


def test_a_step_s_command_line_makes_the_same_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train", "--run-date", str(D), "--recipe=ease", "--floor"])
    night = parse_night("Train.", with_floor=True)
    assert night == replace(night_context(D, recipe="ease"), floor=True)
