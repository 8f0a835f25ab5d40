"""The main model: text, image and graph, fused by attention, scored by a factorization machine.

item i   text: title and description, else title and own reviews; image; graph: GraphSAGE on the item graph
user u   text: mean of the last five reviews; image, graph: means over the history
         each projected to the common space; x = sum_m alpha_m x_m; y = FM([u; i])

The seed concatenates a user's last five reviews before encoding; here each review is encoded once
and the mean is taken, so that the review of a training pair can leave. A mean commutes with a
projection, so an item is projected once and histories are summed in the common space.

U users, I items, R reviews, B batch (users, or training pairs), G distinct users of a batch, N rows of a batch or of
the items whose text is made anew, T text width, V image width, D width, M modalities, C columns (every modality's
vector, then every modality's count).
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
from recsys_jobs.models.sage_fm.visible_data import VisibleData, item_text, mean_review

ITEM_MODALITIES = ("text", "image", "graph")
USER_MODALITIES = ("text", "image", "graph", "history_text")
_LEAST_WEIGHT = 1e-4  # of a history's weight; what is below it is the rounding of an empty one


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
        content_layer = Centred if recipe.centred else nn.Linear
        layers = dict.fromkeys(widths, content_layer) | {"graph": nn.Linear}  # over vectors that are learned
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

    def fit_projections(self, visible: VisibleData) -> None:
        """Start each projection so that its inputs come out centred and of length about one."""
        inputs = {
            "text": visible.text_IT[visible.text_present_I],
            "review": visible.review_RT,
            "image": visible.image_IV[visible.image_present_I],
        }
        for name, layer in self.projections.items():
            rows = inputs.get(name, visible.text_IT[:0])
            if isinstance(layer, nn.Linear):
                start_centred(layer, rows)

    def encode_items(self, visible: VisibleData, graph: View) -> Items:
        """Return every item's parts and vector, the graph being encoded once."""
        item_I = torch.arange(visible.shape[1], device=visible.device)
        parts: dict[str, Part] = {}
        if "text" in self.projections:
            text_IT, present_I = item_text(visible, item_I, None)
            parts["text"] = Part(self.projections["text"](text_IT), present_I)
        if "image" in self.projections and bool(visible.image_present_I.any()):
            parts["image"] = Part(self.projections["image"](visible.image_IV), visible.image_present_I)
        parts["graph"] = self._graph_part(visible, parts, graph)
        return Items(parts, self._fuse(self.item_attention, parts))

    def _graph_part(self, visible: VisibleData, parts: dict[str, Part], graph: View) -> Part:
        if not self.recipe.node_features:
            return Part(self.projections["graph"](self.graph(graph, None, visible.alike_II)), graph.reachable_I)
        features = [self._titles(visible, part) if name == "text" else part for name, part in parts.items()]
        present_I = torch.stack([graph.reachable_I, *(part.present_B for part in features)]).any(0)
        masked = [part.vector_BD * part.present_B[:, None] for part in features]
        feature_ID = torch.stack(masked).sum(0) if masked else None
        return Part(self.projections["graph"](self.graph(graph, feature_ID, visible.alike_II)), present_I)

    def _titles(self, visible: VisibleData, text: Part) -> Part:
        """Return the text part of titles alone: a node that held reviews would show a training pair its own."""
        rows = torch.nonzero(visible.from_reviews_I & visible.text_present_I).squeeze(1)
        title_ND = self.projections["text"](visible.text_IT[rows])
        return Part(text.vector_BD.index_copy(0, rows, title_ND), visible.text_present_I)

    def positives(self, visible: VisibleData, items: Items, item_B: Tensor, user_B: Tensor) -> Tensor:
        """Return the vectors of training pairs' items [B, D], without the pair's own review where that stands in."""
        parts = {name: part.rows(item_B) for name, part in items.parts.items()}
        rows = torch.nonzero(visible.from_reviews_I[item_B]).squeeze(1)
        vector_BD = items.fused.vector_BD[item_B]
        if "text" not in self.projections or not len(rows):
            return vector_BD
        parts = {name: part.rows(rows) for name, part in parts.items()}
        text_NT, present_N = item_text(visible, item_B[rows], user_B[rows])
        parts["text"] = Part(self.projections["text"](text_NT), present_N)
        refused_ND = self._fuse(self.item_attention, parts).vector_BD
        return vector_BD.index_copy(0, rows, refused_ND.to(vector_BD.dtype))

    def encode_users(self, visible: VisibleData, items: Items, user_B: Tensor, leave_B: Tensor | None = None) -> Fused:
        """Return users' vectors [B, D] and attention; in training without the item `leave_B` and its review."""
        return self._fuse(self.user_attention, self.user_parts(visible, items, user_B, leave_B))

    def user_parts(
        self, visible: VisibleData, items: Items, user_B: Tensor, leave_B: Tensor | None = None
    ) -> dict[str, Part]:
        """Return users' modalities in the common space, before attention."""
        parts: dict[str, Part] = {}
        if "review" in self.projections and len(visible.review_RT):
            text_BT, present_B = mean_review(visible, visible.user_reviews, user_B, leave_B)
            parts["text"] = Part(self.projections["review"](text_BT), present_B)
        return parts | self._history_parts(visible, items, user_B, leave_B)

    def _history_parts(
        self, visible: VisibleData, items: Items, user_B: Tensor, leave_B: Tensor | None
    ) -> dict[str, Part]:
        """Return means over the users' items, one part for each modality that items give to users."""
        source_of = {"image": "image", "graph": "graph"}
        if self.recipe.history_text:
            source_of["history_text"] = "text"
        source_of = {name: source for name, source in source_of.items() if source in items.parts}
        sources = [items.parts[source] for source in source_of.values()]
        masked = [part.vector_BD.float() * part.present_B[:, None] for part in sources]
        counted_IM = torch.stack([part.present_B.float() for part in sources], dim=1)
        stacked_IC = torch.cat([*masked, counted_IM], dim=1)  # one sparse product for all the modalities
        distinct_G, row_B = np.unique(user_B.cpu().numpy(), return_inverse=True)
        total_BC = multiply(pair(visible.history_UI[distinct_G], visible.device), stacked_IC)
        total_BC = functional.embedding(torch.from_numpy(row_B).to(visible.device), total_BC)
        if leave_B is not None:
            total_BC = total_BC - functional.embedding(leave_B, stacked_IC)
        count_BM = total_BC[:, -len(source_of) :]  # but for rounding
        sums = total_BC[:, : -len(source_of)].split(self.recipe.width, dim=1)
        return {
            name: Part(sums[m] / count_BM[:, m, None].clamp(min=_LEAST_WEIGHT), count_BM[:, m] > _LEAST_WEIGHT)
            for m, name in enumerate(source_of)
        }

    def weighted(self, attention: Attention, parts: dict[str, Part]) -> tuple[list[str], Tensor]:
        """Return the names of one row's modalities, and what each adds to its vector [M, D], in float64."""
        parts = self._fused_parts(parts)
        fused = attention(parts)
        present = [(m, name) for m, name in enumerate(attention.modalities) if name in parts]
        contributions = [fused.attention_BM[0, m].double() * parts[name].vector_BD[0].double() for m, name in present]
        contribution_MD = torch.stack(contributions)
        if self.recipe.normalise:
            contribution_MD = contribution_MD / contribution_MD.sum(0).norm().clamp(min=1e-6)
        return [name for _, name in present], contribution_MD

    def _fuse(self, attention: Attention, parts: dict[str, Part]) -> Fused:
        fused: Fused = attention(self._fused_parts(parts))
        if not self.recipe.normalise:
            return fused
        return fused._replace(vector_BD=functional.normalize(fused.vector_BD, dim=1, eps=1e-6))

    def _fused_parts(self, parts: dict[str, Part]) -> dict[str, Part]:
        return of_length_one(parts) if self.recipe.unit_parts else parts
