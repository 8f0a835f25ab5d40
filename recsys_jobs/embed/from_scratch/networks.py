"""DistilBERT and ResNet of a size (see sizes.py), with random weights: apart from how they are trained.

A model that has them inside trains them in its own way, and is not of what an encoder's training says.
"""

from __future__ import annotations

from typing import Any

from recsys_jobs.embed.from_scratch.sizes import Size
from recsys_jobs.embed.from_scratch.wordpiece import PADDING


def new_distilbert(size: Size, vocabulary: int) -> Any:
    """Return a DistilBERT of random weights."""
    from transformers import DistilBertModel

    return DistilBertModel(distilbert_config(size, vocabulary))


def distilbert_config(size: Size, vocabulary: int) -> Any:
    """Return what a DistilBERT of this size is made from."""
    from transformers import DistilBertConfig

    return DistilBertConfig(
        vocab_size=vocabulary,
        dim=size.text_width,
        n_layers=size.text_layers,
        n_heads=size.text_heads,
        hidden_dim=size.text_feed,
        max_position_embeddings=size.text_length,
        pad_token_id=PADDING,
    )


def new_resnet(size: Size) -> Any:
    """Return a ResNet of bottleneck blocks and random weights."""
    from transformers import ResNetConfig, ResNetModel

    return ResNetModel(
        ResNetConfig(
            embedding_size=size.image_start,
            hidden_sizes=list(size.image_widths),
            depths=list(size.image_depths),
            layer_type="bottleneck",
        )
    )
