"""How large the encoders from scratch are, and how long they train. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from recsys_jobs.contracts.errors import UsageError


@dataclass(frozen=True)
class Size:
    """Both encoders' whole configuration; the defaults are the seed's, DistilBERT and ResNet-50 at full size."""

    name: str
    # DistilBERT
    vocabulary: int = 30_522
    text_width: int = 768
    text_layers: int = 6
    text_heads: int = 12
    text_feed: int = 3_072
    text_length: int = 128  # tokens
    masked: float = 0.15  # share of tokens to be guessed
    # ResNet: bottleneck blocks
    image_start: int = 64
    image_widths: tuple[int, ...] = (256, 512, 1_024, 2_048)
    image_depths: tuple[int, ...] = (3, 4, 6, 3)
    image_side: int = 224  # pixels
    # training
    text_passes: int = 10  # over the texts
    image_passes: int = 90  # over the photos
    batch: int = 128
    text_rate: float = 5e-4
    image_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup: float = 0.06  # share of the steps
    shared_width: int = 128  # of the space where photos meet texts
    temperature: float = 0.07
    max_texts: int = 1_000_000  # a sample by hash beyond that
    max_photos: int = 500_000


def full() -> Size:
    """As the seed has them: a GPU's work."""
    return Size("full")


def small() -> Size:
    """The same two architectures for two cores: minutes on some thousand texts and photos."""
    return Size(
        "small",
        vocabulary=8_000,
        text_width=128,
        text_layers=2,
        text_heads=4,
        text_feed=512,
        text_length=64,
        image_start=16,
        image_widths=(64, 128, 256, 512),
        image_depths=(1, 1, 1, 1),
        image_side=64,
        text_passes=4,
        image_passes=20,
        batch=64,
        max_texts=20_000,
        max_photos=5_000,
    )


SIZES = {"full": full, "small": small}
# as settings name an encoder -> size; tokens and pixels leave contents raw, for a model that encodes by itself
ENCODER_SIZES = {
    f"{kind}{suffix}": size
    for kind in ("scratch", "tokens", "pixels")
    for suffix, size in (("", "full"), ("_small", "small"))
}


def get_size(name: str) -> Size:
    """Return the size of an encoder's name in the settings; UsageError for one that is none from scratch."""
    if name not in ENCODER_SIZES:
        raise UsageError(f"{name!r} is no encoder from scratch: write one of {', '.join(ENCODER_SIZES)}")
    return SIZES[ENCODER_SIZES[name]]()
