"""One user's top ten by a model of the exam, with titles: what the figures look like to a person."""

from __future__ import annotations

import numpy as np
import torch

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.exam.prepare import Question
from recsys_jobs.ranking.model import Model, Rater
from recsys_jobs.ranking.top_k import top_k

_K = 10


def require_user(question: Question, user: str) -> None:
    """Raise UsageError where the data has no such user."""
    users = question.sitting.scored.users
    if user not in users:
        raise UsageError(f"--user {user}: {question.data} has no such user; the first of {len(users):,} is {users[0]}")


def slate_text(model: Model, question: Question, user: str) -> str:
    """Return a line an item: rank, the stars the user would give or else the score, id, title."""
    dataset = question.sitting.scored
    row_1 = np.array([dataset.users.index(user)])
    (slates,) = top_k(model, dataset, _K, users=row_1, hidden_UI=question.sitting.hidden_UI)
    item_K, score_K = slates.item_BK[0], slates.score_BK[0]
    item_K, score_K = item_K[item_K >= 0], score_K[item_K >= 0]
    if isinstance(model, Rater):
        score_K = model.predict_ratings(torch.from_numpy(row_1.repeat(len(item_K))), torch.from_numpy(item_K)).numpy()
    what = "stars" if isinstance(model, Rater) else "score"
    lines = [f"  {rank:2}  {what} {score:7.3f}  {dataset.items[item]}  {question.titles.get(dataset.items[item], '')}"
             for rank, (item, score) in enumerate(zip(item_K, score_K, strict=True), 1)]  # fmt: skip
    return "\n".join([f"  top {_K} of user {user}:", *(line.rstrip() for line in lines)])
