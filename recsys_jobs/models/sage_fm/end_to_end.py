"""`sage_fm_seed` with its encoders inside: DistilBERT and ResNet learn from the same BPR loss (seed 4).

The dataset's texts, reviews and images are raw here, token ids and pixels, as the encoders `tokens` and
`pixels` leave them (see embed/from_scratch/encoders.py). A step encodes its own items and its users' last reviews with
gradients; the rest of the catalogue, which histories are means of, stands as it was at the epoch's start.
Encoding everything at each step would cost a pass over the catalogue for a few hundred pairs.

I items, R reviews, N rows of either, P of these the ones that are there, T columns of a text (tokens, once encoded its
width), V columns of an image (pixel values, once encoded its width), D width of what an encoder gives, B users or
pairs of a batch, L last reviews of a user.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.embed.from_scratch.networks import new_distilbert, new_resnet
from recsys_jobs.embed.from_scratch.sizes import SIZES, Size
from recsys_jobs.embed.from_scratch.wordpiece import PADDING
from recsys_jobs.models.base.weights import packed, restored, unpacked
from recsys_jobs.models.sage_fm import fitted
from recsys_jobs.models.sage_fm.fitted import FittedSageFM
from recsys_jobs.models.sage_fm.learner import Batch, SageFMLearner
from recsys_jobs.models.sage_fm.recipe import SageFMRecipe
from recsys_jobs.models.sage_fm.visible_data import VisibleData
from recsys_jobs.training import loop
from recsys_jobs.training.learner import EpochLog, EventSplit

_BLOCK = 256  # encoded at once where nothing is trained
_ENCODER_PREFIX = "encoders."  # of the encoders' tensors among a model's weights


class Encoders(nn.Module):
    """Both encoders, from random weights."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size
        self.words = new_distilbert(size, size.vocabulary)
        self.looks = new_resnet(size)

    def texts(self, token_NT: Tensor) -> Tensor:
        """Return [CLS] of rows of token ids, padded with 0 [N, T]."""
        token_NT = token_NT.long()
        length = max(1, int((token_NT != PADDING).sum(1).max()) if len(token_NT) else 1)
        token_NT = token_NT[:, :length]
        attended_NT = (token_NT != PADDING).long()
        attended_NT[:, 0] = 1  # a missing text has no token, and attention over nothing is no number
        states: Tensor = self.words(input_ids=token_NT, attention_mask=attended_NT).last_hidden_state
        return states[:, 0]

    def images(self, pixel_NV: Tensor) -> Tensor:
        """Return pooled features of rows of pixels [N, V]."""
        side = self.size.image_side
        pooled: Tensor = self.looks(pixel_values=pixel_NV.view(-1, 3, side, side)).pooler_output
        return pooled.flatten(1)


class EncodersAndModel(nn.Module):
    """The trained network: the encoders and the model that they feed."""

    def __init__(self, encoders: Encoders, model: nn.Module) -> None:
        super().__init__()
        self.encoders, self.model = encoders, model


class EndToEndLearner:
    """The main model's learner with encoders before it (the protocol of learner.py)."""

    def __init__(self, dataset: Dataset, recipe: SageFMRecipe, parts: EventSplit, device: torch.device) -> None:
        self.size = size_of(recipe, dataset)
        self.raw, self.recipe, self.device = dataset, recipe, device
        self.encoders = Encoders(self.size).to(device)
        self.inner = SageFMLearner(encoded(self.encoders, dataset, device), recipe, parts, device)
        self.network = EncodersAndModel(self.encoders, self.inner.network)
        self.contents = {
            "text_IT": torch.from_numpy(dataset.text_IT),
            "review_RT": torch.from_numpy(dataset.review_RT),
            "image_IV": torch.from_numpy(dataset.image_IV),
        }

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the model's groups, and the encoders with a rate of their own."""
        encoder_group = {"params": list(self.encoders.parameters()), "lr": self.recipe.encoder_learning_rate}
        return [*self.inner.parameter_groups(), encoder_group]

    def batches(self, random: np.random.Generator) -> Iterator[Batch]:
        """Yield one pass over the training pairs, the catalogue being encoded anew before it."""
        self._encode_all()
        self.network.train()
        yield from self.inner.batches(random)

    def loss(self, batch: Batch) -> Tensor:
        """Return the loss of one batch, whose items and reviews are encoded now."""
        return self.inner.loss_in(self._with_fresh_vectors(batch), batch)

    def _with_fresh_vectors(self, batch: Batch) -> VisibleData:
        visible = self.inner.visible
        item_N = torch.from_numpy(np.unique(np.concatenate([batch.item_B, batch.negatives])))
        user_B = torch.from_numpy(batch.user_B).to(self.device)
        review_BL = visible.user_reviews.row_OL[user_B]
        titled_N = item_N[visible.text_present_I.cpu()[item_N]]
        pictured_N = item_N[visible.image_present_I.cpu()[item_N]]
        review_N = review_BL[review_BL >= 0].unique().cpu()
        return replace(
            visible,
            text_IT=self._encode_rows("text_IT", visible.text_IT, titled_N),
            image_IV=self._encode_rows("image_IV", visible.image_IV, pictured_N),
            review_RT=self._encode_rows("review_RT", visible.review_RT, review_N),
        )

    def _encode_rows(self, name: str, vectors: Tensor, row_N: Tensor) -> Tensor:
        """Return the vectors with these rows encoded now, gradients and all."""
        if not len(row_N):
            return vectors
        encode = self.encoders.images if name == "image_IV" else self.encoders.texts
        encoded_ND = encode(self.contents[name][row_N].to(self.device))
        return vectors.index_copy(0, row_N.to(self.device), encoded_ND.to(vectors.dtype))

    def _encode_all(self) -> None:
        fresh = encoded(self.encoders, self.raw, self.device)
        self.inner.visible = replace(
            self.inner.visible,
            text_IT=torch.from_numpy(fresh.text_IT).to(self.device),
            review_RT=torch.from_numpy(fresh.review_RT).to(self.device),
            image_IV=torch.from_numpy(fresh.image_IV).to(self.device),
        )

    def validate(self, user_B: Tensor) -> tuple[Tensor, EpochLog]:
        """Return the users' scores by the encoders as they are now, and the attention."""
        self._encode_all()
        return self.inner.validate(user_B)

    def fitted(self, epochs: int, history: list[EpochLog]) -> FittedEndToEnd:
        """Return the model over the whole dataset."""
        data = encoded(self.encoders, self.raw, self.device)
        model = FittedSageFM(self.inner.network, data, self.inner.known_I, epochs, history, self.device)
        return FittedEndToEnd(model, self.encoders)


class FittedEndToEnd:
    """A trained model over the vectors that its own encoders gave (the contract of ranking/model.py)."""

    def __init__(self, model: FittedSageFM, encoders: Encoders) -> None:
        self.epochs, self.history = model.epochs, model.history
        self.score_block, self.factors, self.item_vectors = model.score_block, model.factors, model.item_vectors
        self._model, self._encoders = model, encoders

    def weights(self) -> dict[str, Tensor]:
        """Return the model's weights, and the encoders' beside them."""
        encoder_state = {f"{_ENCODER_PREFIX}{name}": value for name, value in packed(self._encoders).items()}
        return self._model.weights() | encoder_state


@torch.no_grad()
def encoded(encoders: Encoders, dataset: Dataset, device: torch.device) -> Dataset:
    """Return a raw dataset with vectors in place of its contents; what is missing has zeros."""
    encoders.eval()

    def vectors(encode: Any, raw_NX: np.ndarray, width: int, present_P: np.ndarray) -> np.ndarray:
        vector_ND = np.zeros((len(raw_NX), width), np.float32)
        for start in range(0, len(present_P), _BLOCK):
            rows = present_P[start : start + _BLOCK]
            vector_ND[rows] = encode(torch.from_numpy(raw_NX[rows]).to(device)).float().cpu().numpy()
        return vector_ND

    text, image = encoders.size.text_width, encoders.size.image_widths[-1]
    all_R = np.arange(len(dataset.review_RT))
    return replace(
        dataset,
        text_IT=vectors(encoders.texts, dataset.text_IT, text, np.flatnonzero(dataset.text_present_I)),
        review_RT=vectors(encoders.texts, dataset.review_RT, text, all_R),
        image_IV=vectors(encoders.images, dataset.image_IV, image, np.flatnonzero(dataset.image_present_I)),
    )


def size_of(recipe: SageFMRecipe, dataset: Dataset) -> Size:
    """Return the size of the recipe's encoders; JobError where the dataset does not hold raw contents of that size."""
    size = SIZES[recipe.end_to_end]()
    expected_widths = {"text_IT": size.text_length, "image_IV": 3 * size.image_side**2}
    for name, width in expected_widths.items():
        if getattr(dataset, name).shape[1] not in (0, width):
            suffix = "" if size.name == "full" else f"_{size.name}"
            raise JobError(
                f"{recipe.name} encodes by itself and needs raw contents: set text_encoder to tokens{suffix} "
                f"and image_encoder to pixels{suffix}"
            )
    return size


def load(weights: dict[str, Tensor], dataset: Dataset, recipe: SageFMRecipe) -> FittedEndToEnd:
    """Return the model of `weights` over a raw dataset: its own, or a later one.

    Raises JobError where the weights are of another recipe or size.
    """
    size = size_of(recipe, dataset)
    encoder_state = {
        name.removeprefix(_ENCODER_PREFIX): value for name, value in weights.items() if name.startswith(_ENCODER_PREFIX)
    }
    encoders = restored(lambda: Encoders(size), unpacked(encoder_state), recipe.name).eval()
    model_state = {name: value for name, value in weights.items() if not name.startswith(_ENCODER_PREFIX)}
    return FittedEndToEnd(fitted.load(model_state, encoded(encoders, dataset, torch.device("cpu")), recipe), encoders)


fit = partial(loop.fit, EndToEndLearner)
