"""One user's top ten by a model of the exam, with titles. U users, I items, B one block, K places; 1 user."""

from __future__ import annotations

import numpy as np
import torch

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.exam.prepare import PreparedExam
from recsys_jobs.ranking.model import Model, Rater
from recsys_jobs.ranking.top_k import top_k

_K = 10


def require_user(prepared: PreparedExam, user: str) -> None:
    """Raise UsageError where the data has no such user."""
    users = prepared.datasets.score.users
    if user not in users:
        raise UsageError(f"--user {user}: {prepared.data} has no such user; the first of {len(users):,} is {users[0]}")


def slate_text(model: Model, prepared: PreparedExam, user: str) -> str:
    """Return a line an item: rank, the stars the user would give or else the score, id, title."""
    dataset = prepared.datasets.score
    row_1 = np.array([dataset.users.index(user)])
    (slates,) = top_k(model, dataset, _K, users=row_1, hidden_UI=prepared.datasets.hidden_UI)
    filled_K = slates.item_BK[0] >= 0
    item_K, score_K = slates.item_BK[0][filled_K], slates.score_BK[0][filled_K]
    unit = "score"
    if isinstance(model, Rater):
        unit = "stars"
        user_K = torch.from_numpy(row_1.repeat(len(item_K)))
        score_K = model.predict_ratings(user_K, torch.from_numpy(item_K)).numpy()
    lines = [f"  top {_K} of user {user}:"]
    for rank, (row, score) in enumerate(zip(item_K, score_K, strict=True), 1):
        item = dataset.items[row]
        lines.append(f"  {rank:2}  {unit} {score:7.3f}  {item}  {prepared.titles.get(item, '')}".rstrip())
    return "\n".join(lines)
