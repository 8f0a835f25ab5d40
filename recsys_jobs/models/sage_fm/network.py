"""The main model: text, image and graph, fused by attention, scored by a factorization machine.

item i   text: title and description, else title and own reviews; image; graph: GraphSAGE on the item graph
user u   text: mean of the last five reviews; image, graph: means over the history
         each projected to the common space; x = sum_m alpha_m x_m; y = FM([u; i])

The seed concatenates a user's last five reviews before encoding; here each review is encoded once
and the mean is taken, so that the review of a training pair can leave. A mean commutes with a
projection, so an item is projected once and histories are summed in the common space.

U users, I items, B batch (users, or training pairs), D width, M modalities, N unknown items.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys_jobs.models.layers.fusion import Attention, Fused, Part, of_length_one
from recsys_jobs.models.layers.projections import Centred, start_centred
from recsys_jobs.models.layers.sparse import multiply, pair
from recsys_jobs.models.sage_fm.factorization_machine import FactorizationMachine
from recsys_jobs.models.sage_fm.graph_sage import GraphEncoder, View
from recsys_jobs.models.sage_fm.recipe import SageFMRecipe
from recsys_jobs.models.sage_fm.visible_data import World, item_text, mean_review

ITEM_MODALITIES = ("text", "image", "graph")
USER_MODALITIES = ("text", "image", "graph", "history_text")
_LEAST = 1e-4  # of a history's weight; what is below it is the rounding of an empty one


class Items(NamedTuple):
    """Every item of one pass: its modalities in the common space, and what attention made of them."""

    parts: dict[str, Part]
    fused: Fused


class SageFM(nn.Module):
    """The network of a recipe. It starts from the global generator: seed that beforehand."""

    def __init__(self, recipe: SageFMRecipe, items: int, text_width: int, image_width: int) -> None:
        super().__init__()
        self.recipe = recipe
        widths = {"text": text_width, "review": text_width, "image": image_width, "graph": recipe.graph_width}
        of_contents = Centred if recipe.centred else nn.Linear
        layers = dict.fromkeys(widths, of_contents) | {"graph": nn.Linear}  # over vectors that are learned
        self.projections = nn.ModuleDict(
            {name: layers[name](width, recipe.width) for name, width in widths.items() if width}
        )
        node_scale = recipe.node_scale * recipe.graph_width**-0.5
        self.graph = GraphEncoder(items, recipe.graph_width, recipe.graph_layers, node_scale, recipe.linear_graph)
        modalities = USER_MODALITIES if recipe.history_text else USER_MODALITIES[:3]
        if recipe.linear_graph and recipe.width == recipe.graph_width:  # the graph starts in the common space
            start = self.projections["graph"]
            assert isinstance(start, nn.Linear)
            nn.init.eye_(start.weight)
            nn.init.zeros_(start.bias)
        self.user_attention = Attention(modalities, recipe.width)
        self.item_attention = Attention(ITEM_MODALITIES, recipe.width)
        scale = 1 / recipe.temperature if recipe.normalise else 1.0
        self.fm = FactorizationMachine(recipe.width, recipe.fm_rank, scale)

    def fit_projections(self, world: World) -> None:
        """Start each projection so that its inputs come out centred and of length about one."""
        inputs = {
            "text": world.text_IT[world.text_present_I],
            "review": world.review_RT,
            "image": world.image_IV[world.image_present_I],
        }
        for name, layer in self.projections.items():
            rows = inputs.get(name, world.text_IT[:0])
            if isinstance(layer, nn.Linear):
                start_centred(layer, rows)

    def encode_items(self, world: World, graph: View) -> Items:
        """Return every item's parts and vector, the graph being encoded once."""
        everything_I = torch.arange(world.shape[1], device=world.device)
        parts: dict[str, Part] = {}
        if "text" in self.projections:
            text_IT, present_I = item_text(world, everything_I, None)
            parts["text"] = Part(self.projections["text"](text_IT), present_I)
        if "image" in self.projections and bool(world.image_present_I.any()):
            parts["image"] = Part(self.projections["image"](world.image_IV), world.image_present_I)
        parts["graph"] = self._graph_part(world, parts, graph)
        return Items(parts, self._fuse(self.item_attention, parts))

    def _graph_part(self, world: World, parts: dict[str, Part], graph: View) -> Part:
        if not self.recipe.node_features:
            return Part(self.projections["graph"](self.graph(graph, None, world.alike_II)), graph.reachable_I)
        features = [self._titles(world, part) if name == "text" else part for name, part in parts.items()]
        present_I = torch.stack([graph.reachable_I, *(part.present_B for part in features)]).any(0)
        shown = [part.vector_BD * part.present_B[:, None] for part in features]
        feature_ID = torch.stack(shown).sum(0) if shown else None
        return Part(self.projections["graph"](self.graph(graph, feature_ID, world.alike_II)), present_I)

    def _titles(self, world: World, text: Part) -> Part:
        """Return the text part of titles alone: a node that held reviews would show a training pair its own."""
        rows = torch.nonzero(world.from_reviews_I & world.text_present_I).squeeze(1)
        title_ND = self.projections["text"](world.text_IT[rows])
        return Part(text.vector_BD.index_copy(0, rows, title_ND), world.text_present_I)

    def positives(self, world: World, items: Items, item_B: Tensor, user_B: Tensor) -> Tensor:
        """Return the vectors of training pairs' items [B, D], without the pair's own review where that stands in."""
        parts = {name: Part(part.vector_BD[item_B], part.present_B[item_B]) for name, part in items.parts.items()}
        rows = torch.nonzero(world.from_reviews_I[item_B]).squeeze(1)
        vector_BD = items.fused.vector_BD[item_B]
        if "text" not in self.projections or not len(rows):
            return vector_BD
        parts = {name: Part(part.vector_BD[rows], part.present_B[rows]) for name, part in parts.items()}
        text_NT, present_N = item_text(world, item_B[rows], user_B[rows])
        parts["text"] = Part(self.projections["text"](text_NT), present_N)
        own_ND = self._fuse(self.item_attention, parts).vector_BD
        return vector_BD.index_copy(0, rows, own_ND.to(vector_BD.dtype))

    def encode_users(self, world: World, items: Items, user_B: Tensor, leave_B: Tensor | None = None) -> Fused:
        """Return users' vectors [B, D] and attention; in training without the item `leave_B` and its review."""
        return self._fuse(self.user_attention, self.user_parts(world, items, user_B, leave_B))

    def user_parts(self, world: World, items: Items, user_B: Tensor, leave_B: Tensor | None = None) -> dict[str, Part]:
        """Return users' modalities in the common space, before attention."""
        parts: dict[str, Part] = {}
        if "review" in self.projections and len(world.review_RT):
            text_BT, present_B = mean_review(world, world.user_reviews, user_B, leave_B)
            parts["text"] = Part(self.projections["review"](text_BT), present_B)
        return parts | self._history_parts(world, items, user_B, leave_B)

    def _history_parts(self, world: World, items: Items, user_B: Tensor, leave_B: Tensor | None) -> dict[str, Part]:
        """Return means over the users' items, one part for each modality that items give to users."""
        given = {"image": "image", "graph": "graph"} | ({"history_text": "text"} if self.recipe.history_text else {})
        given = {name: source for name, source in given.items() if source in items.parts}
        sources = [items.parts[source] for source in given.values()]
        shown = [part.vector_BD.float() * part.present_B[:, None] for part in sources]
        counted_IM = torch.stack([part.present_B.float() for part in sources], dim=1)
        stacked_I = torch.cat([*shown, counted_IM], dim=1)  # one sparse product for all the modalities
        user_G, group_B = np.unique(user_B.cpu().numpy(), return_inverse=True)
        total_B = multiply(pair(world.history_UI[user_G], world.device), stacked_I)
        total_B = functional.embedding(torch.from_numpy(group_B).to(world.device), total_B)
        if leave_B is not None:
            total_B = total_B - functional.embedding(leave_B, stacked_I)
        count_BM = total_B[:, -len(given) :]  # but for rounding
        sums = total_B[:, : -len(given)].split(self.recipe.width, dim=1)
        return {
            name: Part(sums[m] / count_BM[:, m, None].clamp(min=_LEAST), count_BM[:, m] > _LEAST)
            for m, name in enumerate(given)
        }

    def weighted(self, attention: Attention, parts: dict[str, Part]) -> tuple[list[str], Tensor]:
        """Return the names of one row's modalities, and what each adds to its vector [M, D], in float64."""
        parts = self._fused_parts(parts)
        fused = attention(parts)
        used = [(m, name) for m, name in enumerate(attention.modalities) if name in parts]
        added = [fused.attention_BM[0, m].double() * parts[name].vector_BD[0].double() for m, name in used]
        added_MD = torch.stack(added)
        if self.recipe.normalise:
            added_MD = added_MD / added_MD.sum(0).norm().clamp(min=1e-6)
        return [name for _, name in used], added_MD

    def _fuse(self, attention: Attention, parts: dict[str, Part]) -> Fused:
        fused: Fused = attention(self._fused_parts(parts))
        if not self.recipe.normalise:
            return fused
        return fused._replace(vector_BD=functional.normalize(fused.vector_BD, dim=1, eps=1e-6))

    def _fused_parts(self, parts: dict[str, Part]) -> dict[str, Part]:
        return of_length_one(parts) if self.recipe.unit_parts else parts
