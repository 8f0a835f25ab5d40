"""Pretrained names: seed 1's backbones, hub ids and folders lead to one path. No hub can be reached here, so small
models of the real classes are made on the spot and stand in the hub's own cache, as a download would leave them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.embed.image import encode_images, load_image_encoder
from recsys_jobs.embed.registry import HUB_NAMES, encoder_name, encoder_pair, find_source
from recsys_jobs.embed.text import encode_texts, load_text_encoder
from tests.components.test_embed_encoders import some_images, tiny_bert, tiny_clip, tiny_tokenizer, tiny_vision

SMALL = {"vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
REVISION = "0123456789abcdef0123456789abcdef01234567"
Make = Callable[[Path], Any]


def language_model(kind: str) -> Make:
    import transformers

    def build() -> Any:
        if kind == "roberta":
            config = transformers.RobertaConfig(**SMALL, max_position_embeddings=66, pad_token_id=0)
            return transformers.RobertaModel(config, add_pooling_layer=False)
        if kind == "mpnet":
            config = transformers.MPNetConfig(**SMALL, max_position_embeddings=66, pad_token_id=0)
            return transformers.MPNetModel(config, add_pooling_layer=False)
        if kind == "distilbert":
            return transformers.DistilBertModel(
                transformers.DistilBertConfig(vocab_size=64, dim=16, n_layers=2, n_heads=2, hidden_dim=32)
            )
        return transformers.GPT2Model(transformers.GPT2Config(vocab_size=64, n_embd=16, n_layer=2, n_head=2))

    def make(folder: Path) -> None:
        tiny_tokenizer(folder)
        torch.manual_seed(0)
        build().save_pretrained(folder)

    return make


LANGUAGE: dict[str, Make] = {
    "bert": tiny_bert,
    "sentence-bert": tiny_bert,
    "clip": tiny_clip,
    **{kind: language_model(kind) for kind in ("roberta", "mpnet", "distilbert")},
    "openai-community/gpt2": language_model("gpt2"),
}
VISION: dict[str, Make] = {
    "resnet": lambda folder: tiny_vision(folder, "resnet"),
    "convnext": lambda folder: tiny_vision(folder, "convnext"),
    "dino": lambda folder: tiny_vision(folder, "dinov2"),
    "clip": tiny_clip,
    "facebook/dino-vitb16": lambda folder: tiny_vision(folder, "vit"),
}


def put_in_cache(cache: Path, name: str, make: Make) -> Path:
    """Make a model where a download of its hub id would stand; return the folder."""
    hub_id = HUB_NAMES.get(name, name)
    place = cache / f"models--{hub_id.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(REVISION)
    make(place / "snapshots" / REVISION)
    return place / "snapshots" / REVISION


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("RECSYS_DEVICE", "cpu")
    return tmp_path / "hub"


@pytest.mark.parametrize("name", LANGUAGE)
def test_a_language_model_by_name_gives_the_mean_of_its_tokens(name: str, cache: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    folder = put_in_cache(cache, name, LANGUAGE[name])
    settings = Settings(text_encoder=name)
    vectors = encode_texts(load_text_encoder(settings), ["warm chair " * 30, "red mug"])
    tokens = AutoTokenizer.from_pretrained(folder)("red mug", return_tensors="pt")
    model = AutoModel.from_pretrained(folder, dtype=torch.float32)
    with torch.inference_mode():
        if name == "clip":
            by_hand = model.get_text_features(tokens["input_ids"], tokens["attention_mask"]).pooler_output[0]
        else:
            by_hand = model(tokens["input_ids"], attention_mask=tokens["attention_mask"]).last_hidden_state[0].mean(0)
    assert np.abs(vectors[1] - by_hand.numpy()).max() < 1e-5
    assert encoder_name(settings, "text").startswith(f"{HUB_NAMES.get(name, name)}@")


@pytest.mark.parametrize("name", VISION)
def test_a_vision_model_by_name_gives_a_vector_a_picture(name: str, cache: Path) -> None:
    put_in_cache(cache, name, VISION[name])
    settings = Settings(image_encoder=name)
    images = some_images(3)
    vectors = encode_images(load_image_encoder(settings), images)
    assert vectors.shape == (3, 12 if name == "clip" else 16)
    assert len(np.unique(vectors, axis=0)) == 3
    assert np.array_equal(encode_images(load_image_encoder(settings), images[::-1])[::-1], vectors)
    assert encoder_name(settings, "image").startswith(f"{HUB_NAMES.get(name, name)}@")


def test_a_folder_of_a_backbones_name_comes_before_the_hub(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in_cache(cache, "resnet", VISION["resnet"])
    tiny_vision(tmp_path / "here" / "resnet", "convnext")
    assert find_source(Settings(image_encoder="resnet"), "image").label == "microsoft/resnet-50"
    monkeypatch.chdir(tmp_path / "here")
    assert find_source(Settings(image_encoder="resnet"), "image").label == "resnet"


def test_a_model_without_safetensors_is_refused_by_name(cache: Path) -> None:
    folder = put_in_cache(cache, "bert", tiny_bert)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(JobError, match="bert-base-uncased.*no model.safetensors"):
        find_source(Settings(text_encoder="bert"), "text")


def test_pairs_of_backbones_by_their_names() -> None:
    assert encoder_pair("resnet_sentence-bert") == ("resnet", "sentence-bert")
    assert encoder_pair("clip_mpnet") == ("clip", "mpnet")
    for wrong in ("resnet", "resnet_", "vgg_bert", "resnet_elmo"):
        with pytest.raises(UsageError, match=wrong):
            encoder_pair(wrong)
