"""A ResNet trained from random weights, whose pooled features stand for a photo (seed 4).

Objective: a photo is to find the text of its own item among the batch's (CLIP's contrast, Radford et al.
2021; ConVIRT, Zhang et al. 2020), the texts being the frozen vectors of the text encoder from scratch. Why
this one: every item with a photo has a title, while categories and brands, which an attribute classifier
would need, are absent from the 2023 dumps and junk in others; and what buyers care to say of a thing is
what the recommender should see in its picture. The text side stays as it is, so that texts keep one meaning.

N photos, B batch, S side in pixels, T text width, V image width, D width of the space where they meet.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.embed.from_scratch.corpus import Corpus, Photo
from recsys_jobs.embed.from_scratch.networks import new_resnet
from recsys_jobs.embed.from_scratch.sizes import Size
from recsys_jobs.embed.from_scratch.text import OnStep
from recsys_jobs.embed.from_scratch.training_loop import Schedule, train_module
from recsys_jobs.embed.text import encode_texts, load_text_encoder
from recsys_jobs.torch_common import losses

_MIN_PHOTOS = 2  # photos
_MEAN, _DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # ImageNet's, as ResNet is used everywhere


def train_image_encoder(
    corpus: Corpus,
    size: Size,
    text_folder: Path,
    folder: Path,
    seed: int,
    device: torch.device,
    on_step: OnStep | None = None,
) -> None:
    """Write model and preprocessing to a folder that `embed` loads like any other; JobError without photos."""
    if len(corpus.photos) < _MIN_PHOTOS:
        raise JobError(f"an image encoder from scratch needs photos, and there is {len(corpus.photos)}")
    text_NT = text_features(corpus, text_folder)
    steps = _per_pass(corpus, size)
    trained = train_module(
        lambda: PhotoTraining(size, text_NT.shape[1]).to(device),
        lambda random: _batches(corpus.photos, text_NT, size, random),
        Schedule(size.image_passes, steps, size.image_rate, size.weight_decay, size.warmup),
        seed=seed,
        device=device,
        on_step=on_step,
    )
    trained.resnet.save_pretrained(folder)
    save_processor(folder, size.image_side)


class PhotoTraining(nn.Module):
    """A ResNet of bottleneck blocks, and the space where its photos meet texts."""

    def __init__(self, size: Size, text_width: int) -> None:
        super().__init__()
        self.size = size
        self.resnet = new_resnet(size)
        self.image_projection = nn.Linear(size.image_widths[-1], size.shared_width)
        self.text_projection = nn.Linear(text_width, size.shared_width)

    def forward(self, pixels_B3SS: Tensor, text_BT: Tensor) -> dict[str, Tensor]:
        """Return the loss of photos that are to find their own items' texts."""
        image_BV = self.resnet(pixel_values=pixels_B3SS).pooler_output.flatten(1)
        image_BD = self.image_projection(image_BV)
        text_BD = self.text_projection(text_BT)
        return {"contrast": losses.clip(image_BD, text_BD, self.size.temperature)}


def text_features(corpus: Corpus, text_folder: Path) -> Tensor:
    """Return each photo's text as the text encoder sees it [N, T], centred: its vectors share one direction."""
    # every setting that matters here is named: none of the defaults decides what is learned
    encoder = load_text_encoder(Settings(text_encoder=str(text_folder), precision="float32"))
    texts = [corpus.texts[photo.text_row] for photo in corpus.photos]
    vector_NT = encode_texts(encoder, texts)
    centred_NT = vector_NT - vector_NT.mean(0)
    return torch.from_numpy(centred_NT / np.maximum(centred_NT.std(), 1e-6))


def _per_pass(corpus: Corpus, size: Size) -> int:
    return max(1, len(corpus.photos) // size.batch)


def _batches(photos: list[Photo], text_NT: Tensor, size: Size, random: np.random.Generator) -> Iterator[tuple]:
    """Yield one pass over the photos in random order, each seen through another crop."""
    order = random.permutation(len(photos))
    for batch in np.array_split(order, max(1, len(photos) // size.batch)):
        pixels = [augment(photos[photo].read(), size.image_side, random) for photo in batch]
        yield torch.from_numpy(np.stack(pixels)), text_NT[torch.from_numpy(batch)]


def augment(blob: bytes, side: int, random: np.random.Generator) -> np.ndarray:
    """Return a photo [3, S, S]: a random crop of at least half its area, maybe mirrored, brighter or darker."""
    image = Image.open(io.BytesIO(blob)).convert("RGB")
    image = image.resize((side, side), Image.Resampling.BILINEAR, box=_random_crop(image.size, random))
    brightness = np.float32(random.uniform(0.8, 1.2))
    pixels_SS3 = np.asarray(image, np.float32) / 255 * brightness
    pixels_SS3 = pixels_SS3[:, ::-1] if random.random() < 0.5 else pixels_SS3
    mean, deviation = np.array(_MEAN, np.float32), np.array(_DEVIATION, np.float32)
    normal_SS3 = (pixels_SS3.clip(0, 1) - mean) / deviation
    return np.ascontiguousarray(normal_SS3.transpose(2, 0, 1))


def _random_crop(size: tuple[int, int], random: np.random.Generator) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a box of 0.7 to 1 of each side."""
    share = random.uniform(0.7, 1.0, 2)
    width, height = (max(1, round(length * part)) for length, part in zip(size, share, strict=True))
    left = int(random.integers(size[0] - width + 1))
    top = int(random.integers(size[1] - height + 1))
    return left, top, left + width, top + height


def save_processor(folder: Path, side: int) -> None:
    """Write the preprocessing that `embed` applies to a photo: the whole of it, at the side that training saw."""
    from transformers import CLIPImageProcessor

    size = {"height": side, "width": side}
    CLIPImageProcessor(size=size, do_center_crop=False, image_mean=_MEAN, image_std=_DEVIATION).save_pretrained(folder)
