"""A ResNet trained from random weights, whose pooled features stand for a photo (seed 4).

Objective: a photo is to find the text of its own item among the batch's (CLIP's contrast, Radford et al.
2021; ConVIRT, Zhang et al. 2020), the texts being the frozen vectors of the text encoder from scratch. Why
this one: every item with a photo has a title, while categories and brands, which an attribute classifier
would need, are absent from the 2023 dumps and junk in others; and what buyers care to say of a thing is
what the recommender should see in its picture. The text side stays as it is, so that texts keep one meaning.

N photos, B batch, S side in pixels, T text width, V image width.
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
from recsys_jobs.embed.from_scratch.steps import Steps, run_steps
from recsys_jobs.embed.from_scratch.text import OnStep
from recsys_jobs.embed.text import encode_texts, load_text_encoder
from recsys_jobs.torch_common import losses

_FEWEST = 2  # photos
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
    if len(corpus.photos) < _FEWEST:
        raise JobError(f"an image encoder from scratch needs photos, and there is {len(corpus.photos)}")
    words_NT = _words(corpus, text_folder)
    trained = run_steps(
        lambda: PhotoTraining(size, words_NT.shape[1]).to(device),
        lambda random: _batches(corpus.photos, words_NT, size, random),
        Steps(size.image_passes, _per_pass(corpus, size), size.image_rate, size.weight_decay, size.warmup),
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
        self.looks = nn.Linear(size.image_widths[-1], size.shared_width)
        self.words = nn.Linear(text_width, size.shared_width)

    def forward(self, pixels_B3SS: Tensor, words_BT: Tensor) -> dict[str, Tensor]:
        """Return the loss of photos and texts that are to find each other."""
        looks_BV = self.resnet(pixel_values=pixels_B3SS).pooler_output.flatten(1)
        return {"contrast": losses.clip(self.looks(looks_BV), self.words(words_BT), self.size.temperature)}


def _words(corpus: Corpus, text_folder: Path) -> Tensor:
    """Return each photo's text as the text encoder sees it [N, T], centred: its vectors share one direction."""
    # every setting that matters here is named: none of the defaults decides what is learned
    encoder = load_text_encoder(Settings(text_encoder=str(text_folder), precision="float32"))
    vector_NT = encode_texts(encoder, [corpus.texts[photo.text_row] for photo in corpus.photos])
    centred_NT = vector_NT - vector_NT.mean(0)
    return torch.from_numpy(centred_NT / np.maximum(centred_NT.std(), 1e-6))


def _per_pass(corpus: Corpus, size: Size) -> int:
    return max(1, len(corpus.photos) // size.batch)


def _batches(photos: list[Photo], words_NT: Tensor, size: Size, random: np.random.Generator) -> Iterator[tuple]:
    """Yield one pass over the photos in random order, each seen through another crop."""
    for batch in np.array_split(random.permutation(len(photos)), max(1, len(photos) // size.batch)):
        pixels = [augmented(photos[photo].read(), size.image_side, random) for photo in batch]
        yield torch.from_numpy(np.stack(pixels)), words_NT[torch.from_numpy(batch)]


def augmented(blob: bytes, side: int, random: np.random.Generator) -> np.ndarray:
    """Return a photo [3, S, S]: a random crop of at least half its area, maybe mirrored, brighter or darker."""
    image = Image.open(io.BytesIO(blob)).convert("RGB")
    share = random.uniform(0.7, 1.0, 2)
    width, height = (max(1, round(length * part)) for length, part in zip(image.size, share, strict=True))
    left, top = random.integers(image.width - width + 1), random.integers(image.height - height + 1)
    image = image.resize((side, side), Image.Resampling.BILINEAR, box=(left, top, left + width, top + height))
    pixels_SS3 = np.asarray(image, np.float32) / 255 * np.float32(random.uniform(0.8, 1.2))
    pixels_SS3 = pixels_SS3[:, ::-1] if random.random() < 0.5 else pixels_SS3
    normal_SS3 = (pixels_SS3.clip(0, 1) - np.array(_MEAN, np.float32)) / np.array(_DEVIATION, np.float32)
    return np.ascontiguousarray(normal_SS3.transpose(2, 0, 1))


def save_processor(folder: Path, side: int) -> None:
    """Write what `embed` does to a photo before it: the whole of it, at the side that training saw."""
    from transformers import CLIPImageProcessor

    size = {"height": side, "width": side}
    CLIPImageProcessor(size=size, do_center_crop=False, image_mean=_MEAN, image_std=_DEVIATION).save_pretrained(folder)
