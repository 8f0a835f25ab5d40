"""Static vectors of the default text encoder, and by them a night's embed step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from recsys_jobs.contracts.settings import Settings
from recsys_jobs.embed import job
from recsys_jobs.embed.job import Encode, load_encoder
from recsys_jobs.embed.static import distillation
from tests.components.test_embed_encoders import some_texts, tiny_bert
from tests.components.test_embed_job import D, H, content, cut, embedded, found, item, places

__all__ = ["places"]  # an empty lake for each test


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Encode]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECSYS_ENCODERS", str(tmp_path_factory.mktemp("encoders")))
        yield load_encoder(Settings(text_encoder="static"), "text")


def seconds_a_text(encode: Callable[[list[str]], np.ndarray], texts: list[str]) -> float:
    """Of all cores together, the least of three."""
    taken = []
    for _ in range(3):
        start = time.process_time()
        encode(texts)
        taken.append(time.process_time() - start)
    return min(taken) / len(texts)


@pytest.mark.slow
def test_texts_alike_in_meaning_are_near(static: Encode) -> None:
    mug, cup, guitar = static(["A blue coffee mug", "<b>Cup</b> for coffee, blue", "Electric guitar strings"])
    assert mug @ cup > 0.7 > 0.3 > mug @ guitar
    assert mug.shape == (256,)


@pytest.mark.slow
def test_it_is_twenty_times_as_fast_as_its_teacher(static: Encode) -> None:
    texts = [text[:80] for text in some_texts(4096)]
    teacher = load_encoder(Settings(), "text")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    assert seconds_a_text(teacher, texts[:64]) > 20 * seconds_a_text(static, texts)
    torch.set_num_threads(threads)


def test_a_night_distils_once_and_embeds_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    configuration = tmp_path / "static.toml"
    configuration.write_text(f'text_encoder = "static8:{tiny_bert(tmp_path / "bert")}"\n')
    monkeypatch.setenv("RECSYS_CONFIG", str(configuration))
    cut(D, H)
    content(D, "mug", "text", item("mug", "red mug"))
    with caplog.at_level("INFO"):
        assert found(job.run(D, "text")) == (1, 0, 1)
    assert "distilled bert: 17 tokens, 8 numbers each" in caplog.text
    monkeypatch.setattr(distillation, "distil", None)
    content(D, "lamp", "text", item("lamp", "blue lamp"))
    assert found(job.run(D, "text")) == (2, 1, 1)
    assert {encoder.split("@")[0] for encoder, _ in embedded()} == {"static8-bert"}
