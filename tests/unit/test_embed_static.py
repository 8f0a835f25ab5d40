"""Static vectors of a small random BERT: what they are, what they are called, and that they are made once."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from threadpoolctl import threadpool_limits

from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.settings import ROOT, Settings
from recsys_jobs.data.readers.raw import EventLog, Item, build_raw_data
from recsys_jobs.embed.job import load_encoder
from recsys_jobs.embed.registry import encoder_name, mark_raw
from recsys_jobs.embed.static import distillation
from recsys_jobs.embed.static.encoder import StaticEncoder, encode_texts, load_static_encoder, static_folder
from recsys_jobs.embed.static.names import MAX_TOKENS, StaticName, parse_static
from recsys_jobs.embed.text import encode_texts as encode_by_model
from recsys_jobs.embed.text import load_text_encoder
from recsys_jobs.exam.contents import load_contents
from tests.components.test_embed_encoders import WORDS, some_texts, tiny_bert, tiny_clip

WIDTH = 8


@pytest.fixture(scope="module", autouse=True)
def var(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the tests' encoders are kept, for all that need no place of their own."""
    folder = tmp_path_factory.mktemp("var")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECSYS_ENCODERS", str(folder))
        patch.setenv("RECSYS_DEVICE", "cpu")
        yield folder


@pytest.fixture
def own_var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECSYS_ENCODERS", str(tmp_path / "var"))
    return tmp_path / "var"


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bert(tmp_path_factory.mktemp("teachers") / "bert")


@pytest.fixture(scope="module")
def settings(teacher: Path) -> Settings:
    return Settings(text_encoder=f"static{WIDTH}:{teacher}")


@pytest.fixture(scope="module")
def encoder(settings: Settings) -> StaticEncoder:
    return load_static_encoder(settings)


# --- names ---


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("static", StaticName("minilm", 256)),
        ("static384", StaticName("minilm", 384)),
        ("static:mpnet", StaticName("mpnet", 256)),
        ("static64:/models/a:b", StaticName("/models/a:b", 64)),
        ("minilm", None),
        ("statics", None),
        ("static0", None),
        ("sentence-transformers/static-retrieval", None),
    ],
)
def test_what_a_name_asks_for(name: str, meant: StaticName | None) -> None:
    assert parse_static(name) == meant


@pytest.mark.parametrize("teacher", ["static", "static64:mpnet", "scratch_small", "tokens"])
def test_what_cannot_be_a_teacher_is_refused(teacher: str) -> None:
    with pytest.raises(UsageError, match="cannot be distilled"):
        encoder_name(Settings(text_encoder=f"static:{teacher}"), "text")


def test_a_static_encoder_reads_no_images() -> None:
    with pytest.raises(UsageError, match="encodes text"):
        encoder_name(Settings(image_encoder="static"), "image")


def test_the_name_says_width_teacher_and_recipe() -> None:
    teacher, configuration, *_ = encoder_name(Settings(), "text").split("/")
    recipe = ["distil1", "clean1", "len512", "float32"]
    for precision in ("float32", "bfloat16"):  # vectors are float32 whatever products would be computed in
        name = encoder_name(Settings(text_encoder="static", precision=precision), "text")
        assert name.split("/") == [f"static256-{teacher}", configuration, *recipe]


def test_other_weights_or_width_make_another_name(teacher: Path, tmp_path: Path) -> None:
    other = tiny_bert(tmp_path / "bert")
    weights = (other / "model.safetensors").read_bytes()
    (other / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    wanted = [f"static8:{teacher}", f"static8:{other}", f"static9:{teacher}"]
    assert len({encoder_name(Settings(text_encoder=name), "text") for name in wanted}) == 3


def test_naming_loads_no_torch_and_distils_nothing(own_var: Path) -> None:
    program = """
import sys
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.embed.registry import encoder_name
encoder_name(Settings(text_encoder="static"), "text")
assert not {"torch", "transformers", "tokenizers"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60, cwd=ROOT)
    assert not own_var.exists()


# --- vectors ---


def test_company_order_and_threads_change_no_bit(encoder: StaticEncoder) -> None:
    texts = [*some_texts(50), "", "never <b>heard</b>", "<p>"]
    together = encode_texts(encoder, texts)
    order = random.Random(1).sample(range(len(texts)), len(texts))
    assert np.array_equal(encode_texts(encoder, [texts[place] for place in order]), together[order])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    assert np.array_equal(np.concatenate([encode_texts(encoder, [text]) for text in texts]), together)
    torch.set_num_threads(threads)
    assert together.dtype == np.float32
    assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-6)


def test_a_word_is_the_teachers_vector_of_it_along_principal_axes_by_its_rank(
    encoder: StaticEncoder, teacher: Path
) -> None:
    from sklearn.decomposition import PCA

    vocabulary = sorted(WORDS, key=encoder.tokenizer.token_to_id)
    by_model = encode_by_model(load_text_encoder(Settings(text_encoder=str(teacher))), vocabulary)
    projected = PCA(WIDTH, svd_solver="full").fit_transform(by_model.astype(np.float64))
    share = (1 / np.arange(2, len(vocabulary) + 2)) / (1 / np.arange(2, len(vocabulary) + 2)).sum()
    expected = projected * (1e-4 / (1e-4 + share))[:, None]
    ours = encoder.table_VD.numpy()[[encoder.tokenizer.token_to_id(word) for word in vocabulary]]
    signs = np.sign((ours * expected).sum(axis=0))
    assert ours == pytest.approx(expected * signs, abs=1e-7)
    assert np.abs(ours).max() > 1e-5


def test_model2vec_gives_the_same_of_the_same_folder(settings: Settings, encoder: StaticEncoder) -> None:
    from model2vec import StaticModel

    texts = [*some_texts(20), "red unheard-of mug"]
    reference = StaticModel.from_pretrained(static_folder(settings))
    assert encode_texts(encoder, texts) == pytest.approx(reference.encode(texts), abs=1e-6)


@pytest.mark.parametrize("text", ["", "<p><br/></p>\n", "[CLS] [PAD]", "quux \N{GRINNING FACE}"])
def test_a_text_that_says_nothing_has_the_vector_of_the_empty_text(text: str, encoder: StaticEncoder) -> None:
    vector = encode_texts(encoder, [text])[0]
    assert np.array_equal(vector, encoder.empty_D.numpy())
    assert np.linalg.norm(vector) == pytest.approx(1)


def test_what_stands_beyond_the_limit_is_not_read(encoder: StaticEncoder) -> None:
    long = "mug " * (MAX_TOKENS - 1)
    one_more, later = encode_texts(encoder, [f"{long} lamp", f"{long} lamp red blue"])
    assert np.array_equal(one_more, later)
    assert not np.array_equal(one_more, encode_texts(encoder, [long])[0])


def test_no_text_has_no_vector(encoder: StaticEncoder) -> None:
    assert len(encode_texts(encoder, [])) == 0


def test_any_text_encoder_is_a_teacher(tmp_path: Path) -> None:
    """CLIP's text tower, whose vector is no mean of its tokens."""
    encode = load_encoder(Settings(text_encoder=f"static{WIDTH}:{tiny_clip(tmp_path / 'clip')}"), "text")
    assert len(np.unique(encode(["red mug", "blue mug", ""]), axis=0)) == 3


# --- made once ---


def test_vectors_are_made_once_and_found_again(
    settings: Settings, own_var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = encode_texts(load_static_encoder(settings), WORDS)
    monkeypatch.setattr(distillation, "distil", None)
    assert np.array_equal(encode_texts(load_static_encoder(settings), WORDS), before)


def test_vectors_made_again_are_the_same_whatever_the_threads(
    settings: Settings, own_var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    first = static_folder(settings)
    torch.set_num_threads(2)
    monkeypatch.setenv("RECSYS_ENCODERS", str(own_var / "elsewhere"))
    again = static_folder(settings)
    torch.set_num_threads(threads)
    assert first != again
    assert first.name == again.name
    assert sorted(path.name for path in first.iterdir()) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert all((first / path.name).read_bytes() == path.read_bytes() for path in again.iterdir())


def test_the_threads_of_blas_change_no_bit_of_principal_components() -> None:
    vectors = np.random.default_rng(0).standard_normal((4_000, 256))
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(distillation.project(vectors, vectors[0], 64))
    assert all(np.array_equal(one, other) for one, other in zip(*found, strict=True))
    assert found[0][0].var(axis=0) == pytest.approx(np.sort(np.linalg.eigvalsh(np.cov(vectors.T)))[::-1][:64], rel=1e-3)


def test_a_killed_distillation_leaves_nothing_half(settings: Settings, own_var: Path) -> None:
    program = f"""
import os, signal, types
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.embed.static import distillation
from recsys_jobs.embed.static.encoder import static_folder
kill = lambda config: os.kill(os.getpid(), signal.SIGKILL)
distillation.json = types.SimpleNamespace(dumps=kill)  # two of three files are written by then
static_folder(Settings(text_encoder={settings.text_encoder!r}))
"""
    killed = subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=120, check=False, capture_output=True)
    assert killed.returncode == -9
    kept = own_var
    assert [path.name for path in kept.iterdir() if not path.name.startswith(".")] == []
    folder = static_folder(settings)
    assert sorted(path.name for path in kept.iterdir()) == [".lock", folder.name]
    assert len(load_file(folder / "model.safetensors")["empty"]) == WIDTH


def test_a_damaged_folder_says_what_to_do(settings: Settings, own_var: Path) -> None:
    (static_folder(settings) / "model.safetensors").write_bytes(b"half")
    with pytest.raises(JobError, match="is damaged .*: delete it"):
        load_static_encoder(settings)


def test_more_numbers_than_the_teacher_has_are_refused(teacher: Path) -> None:
    with pytest.raises(JobError, match="static17: bert has 17 tokens of 16 numbers"):
        load_static_encoder(Settings(text_encoder=f"static17:{teacher}"))


def test_an_encoder_that_leaves_texts_raw_is_refused(tmp_path: Path) -> None:
    mark_raw(tiny_bert(tmp_path / "raw"), 16)
    with pytest.raises(JobError, match="nothing to distil"):
        load_static_encoder(Settings(text_encoder=f"static8:{tmp_path / 'raw'}"))


# --- who asks ---


def test_an_exam_reads_the_items_of_a_data_set(settings: Settings, own_var: Path, tmp_path: Path) -> None:
    items = {"a": Item("red mug"), "b": Item(""), "c": Item("blue lamp")}
    raw = build_raw_data(tmp_path / "shop", "csv_folder", EventLog(["u"] * 3, list(items), ordered=True), items)
    found = load_contents(raw, np.ones(3, np.bool_), settings)
    expected = encode_texts(load_static_encoder(settings), ["red mug", "blue lamp"])
    assert np.array_equal(found.text_IT[[0, 2]], expected)
    assert found.text_present_I.tolist() == [True, False, True]
