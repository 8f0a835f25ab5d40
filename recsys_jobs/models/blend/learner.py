"""A blend: several models' scores of a user's items, each standardised, added by weight.

score(u, i) = sum_p w_p z_p(u, i)        z_p = (s_p - mean_i s_p) / std_i s_p, of the user's scores by part p

A sparse local model (EASE) and a smooth global one (a graph's vectors) err differently, so that their sum
is worth more than any change of either. Weights are the recipe's; they were chosen on validation users.
Each part that trains stops early by itself, and a serving fit takes as many epochs of each; a closed form is
fitted on what those may see, without the validation events of an exam fit, but for one that lives by the last days.
Each part keeps its own form, dense vectors or sparse rows; only a block of users' scores is ever whole.

B block of users or items, I items, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.data.dataset import Dataset
from recsys_jobs.data.without_events import without_events
from recsys_jobs.models import families
from recsys_jobs.models.blend.recipe import BlendRecipe
from recsys_jobs.models.recent.recipe import RecentRecipe
from recsys_jobs.ranking.model import Factors, HasPopularityTerm, ItemToItem, Model, PartTerms, SplitsByHistory
from recsys_jobs.torch_common import named_tensors
from recsys_jobs.training import checkpoints
from recsys_jobs.training.epochs import Epochs, total_epochs
from recsys_jobs.training.learner import EpochLog
from recsys_jobs.training.recipe import Recipe, is_iterative

_LEAST_DEVIATION = 1e-12  # of a standard deviation


class BlendModel:
    """Fitted parts over one dataset (the contract of ranking/model.py), and how each weighs."""

    def __init__(
        self, parts: list[tuple[float, Model]], items: int, epochs: Epochs = 0, history: Sequence[EpochLog] = ()
    ) -> None:
        self.parts = parts
        self.items = items
        self.epochs = epochs
        self.history = list(history)

    def score_block(self, user_B: Tensor) -> Tensor:
        """Return the weighted sum [B, I] of the parts' standardised scores."""
        total_BI = torch.zeros(len(user_B), self.items)
        for weight, model in self.parts:
            total_BI += standardised(model.score_block(user_B)).mul_(weight)
        return total_BI

    def part_terms(self, user: int, item: int) -> list[PartTerms]:
        """Return what each part adds to the score of the user and item with these indices: weighed, standardised."""
        return [_part_terms(weight, model, user, item) for weight, model in self.parts]

    def similar_block(self, item_B: Tensor) -> Tensor:
        """Return what the heaviest part that compares items says [B, I]; zeros where none does."""
        for _, model in sorted(self.parts, key=lambda part: -part[0]):
            if isinstance(model, ItemToItem):
                return model.similar_block(item_B)
            if (vector_ID := model.item_vectors()) is not None:
                unit_ID = torch.nn.functional.normalize(vector_ID.float().cpu(), dim=1)
                return unit_ID[item_B] @ unit_ID.T
        return torch.zeros(len(item_B), self.items)

    def factors(self) -> Factors | None:
        """None: sparse parts do not fold."""
        return None

    def item_vectors(self) -> Tensor | None:
        """None: see `similar_block`."""
        return None

    def weights(self) -> dict[str, Tensor]:
        """Return the parts' weights under their numbers, and the epochs that each trained one took."""
        parts = {str(number): model.weights() for number, (_, model) in enumerate(self.parts)}
        return named_tensors.join_parts(parts) | {"blend.epochs": torch.tensor(self.epochs)}


def _part_terms(weight: float, model: Model, user: int, item: int) -> PartTerms:
    """Return one part's terms; standardising divides all of them alike, and takes a mean away."""
    score_1I = model.score_block(torch.tensor([user]))
    total = weight * float(standardised(score_1I.clone())[0, item])
    scale = weight / max(float(score_1I.std(correction=0)), _LEAST_DEVIATION)
    history = model.history_terms(user, item) if isinstance(model, SplitsByHistory) else None
    return PartTerms(
        total,
        None if history is None else {history_item: scale * value for history_item, value in history.items()},
        scale * model.prior_term(item) if isinstance(model, HasPopularityTerm) else None,
    )


def standardised(score_BI: Tensor) -> Tensor:
    """Return scores of each user with mean 0 and standard deviation 1 over all items; 0 where all are equal."""
    score_BI = score_BI - score_BI.mean(1, keepdim=True)
    return score_BI.div_(score_BI.square().mean(1, keepdim=True).sqrt_().clamp_(min=_LEAST_DEVIATION))


def fit(
    dataset: Dataset,
    recipe: BlendRecipe,
    *,
    seed: int = 0,
    epochs: Epochs | None = None,
    checkpoint: Path | None = None,
    device: torch.device | None = None,
    on_epoch: families.OnEpoch | None = None,
) -> BlendModel:
    """Return the blend fitted on a dataset; its curves are those of the heaviest part that trains.

    `epochs` is a number for each part that trains, or one for all of them; UsageError for another count.
    """
    part_epochs = iter(_epochs_of_parts(recipe, epochs))
    fits: list[families.Fitted] = []
    for number, (_, part) in enumerate(recipe.parts):
        if is_iterative(part):
            part_checkpoint = checkpoints.part_path(checkpoint, number) if checkpoint else None
            options: dict[str, Any] = {"seed": seed, "device": device, "on_epoch": on_epoch}
            options |= {"epochs": next(part_epochs), "checkpoint": part_checkpoint}
            fits.append(families.fit(dataset, part, **options))
        else:
            fits.append(families.Fitted(_closed_form(dataset, part, seed, whole=epochs is not None)))
    weighted_fits = [(weight, fitted) for (weight, _), fitted in zip(recipe.parts, fits, strict=True)]
    trained = [(weight, fitted) for weight, fitted in weighted_fits if fitted.history]
    epochs = _number_or_tuple(tuple(total_epochs(fitted.epochs) for _, fitted in trained))
    history = max(trained, key=itemgetter(0))[1].history if trained else []
    parts = [(weight, fitted.model) for weight, fitted in weighted_fits]
    return BlendModel(parts, len(dataset.items), epochs, history)


def _epochs_of_parts(recipe: BlendRecipe, epochs: Epochs | None) -> tuple[int | None, ...]:
    """Return the epochs of each part that trains, None for early stopping."""
    trained = sum(is_iterative(part) for _, part in recipe.parts)
    if not isinstance(epochs, tuple):
        return (epochs,) * trained
    if len(epochs) != trained:
        raise UsageError(f"{len(epochs)} numbers of epochs for the {trained} parts of {recipe.name} that train")
    return epochs


def _number_or_tuple(numbers: tuple[int, ...]) -> Epochs:
    return numbers if len(numbers) > 1 else sum(numbers)


def _closed_form(dataset: Dataset, part: Recipe, seed: int, whole: bool) -> Model:
    """Return a part over all of the dataset, fitted on the whole of it or without its validation events.

    What knows the date is nothing without the last days, which are the validation's.
    """
    if whole or isinstance(part, RecentRecipe) or not dataset.validation_E.any():
        return families.fit(dataset, part, seed=seed).model
    fitted = families.fit(without_events(dataset, dataset.validation_E), part, seed=seed)
    return families.load(fitted.model.weights(), dataset, part)


def load(weights: dict[str, Tensor], dataset: Dataset, recipe: BlendRecipe) -> BlendModel:
    """Return the blend of `weights` over a dataset."""
    of_part = named_tensors.split_parts(weights)
    models = [families.load(of_part[str(number)], dataset, part) for number, (_, part) in enumerate(recipe.parts)]
    parts = [(weight, model) for (weight, _), model in zip(recipe.parts, models, strict=True)]
    epochs = tuple(weights["blend.epochs"].reshape(-1).tolist())
    return BlendModel(parts, len(dataset.items), _number_or_tuple(epochs))
