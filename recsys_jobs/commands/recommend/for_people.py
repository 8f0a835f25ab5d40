"""Slates for people of a fitted model's dataset: who they are, what they are shown, a table or a file.

U people asked for, I items, K places.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from recsys_jobs.commands.recommend.options import RecommendOptions
from recsys_jobs.commands.recommend.slate_file import write_slates
from recsys_jobs.contracts.errors import UsageError, sanitize
from recsys_jobs.data.dataset import Dataset, Ints
from recsys_jobs.ranking.maximal_marginal_relevance import candidate_count, content_vectors, rerank
from recsys_jobs.ranking.model import Model
from recsys_jobs.ranking.top_k import Slates, top_k

_TITLE_WIDTH = 60  # characters


@dataclass(frozen=True)
class RecommendSource:
    """A model over the people and items of a dataset, and where both are from, in words."""

    model: Model
    dataset: Dataset
    description: str
    titles: Mapping[str, str] = field(default_factory=dict)
    blocked_items: Ints | None = None


def run(options: RecommendOptions, source: RecommendSource) -> None:
    """Print the slates of the people whom the options name, and write them where they say."""
    dataset = source.dataset
    user_U = _user_rows(chosen_users(options, dataset.users), dataset.users)
    rows = [row for block in _slates(options, source, user_U) for row in _places(block, dataset)]
    diversity = f"; variety weighs {options.diversity:g}" if options.diversity else ""
    print(source.description + diversity)
    for row in rows:
        if row["rank"] == 1:
            print(f"\n{row['user_id']}")
        title = sanitize(source.titles.get(row["item_id"], ""))[:_TITLE_WIDTH]
        print(f"{row['rank']:4}  {row['score']:8.4f}  {row['item_id']}  {title}".rstrip())
    if options.out:
        write_slates(options.out, rows, source.description)


def chosen_users(options: RecommendOptions, known: list[str]) -> list[str]:
    """Return the ids that the options name, those that are not `known` told; UsageError where none is."""
    if options.sample:
        drawn = np.random.default_rng(options.seed).permutation(len(known))[: options.sample]
        return [known[row] for row in np.sort(drawn)]
    user_ids = _read_users_file(options.users_file) if options.users_file else list(options.users)
    known_ids = set(known)
    for user in user_ids:
        if user not in known_ids:
            print(f"no user {sanitize(user)!r}: left out", file=sys.stderr)
    if not known_ids & set(user_ids):
        raise UsageError(f"none of the {len(user_ids)} users is known; the first of {len(known):,} is {known[0]!r}")
    return [user for user in user_ids if user in known_ids]


def _read_users_file(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UsageError(f"{path}: {why}: name a file with a user id a line") from None
    user_ids = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not user_ids:
        raise UsageError(f"{path}: empty: write a user id a line")
    return user_ids


def _user_rows(user_ids: list[str], users: list[str]) -> Ints:
    row_by_id = {user: row for row, user in enumerate(users)}
    return np.array([row_by_id[user] for user in user_ids], np.int64)


def _slates(options: RecommendOptions, source: RecommendSource, user_U: Ints) -> Iterator[Slates]:
    """Yield the people's slates, in their order."""
    only: dict[str, Any] = {"users": user_U, "blocked_items": source.blocked_items}
    if not options.diversity:
        return top_k(source.model, source.dataset, options.k, **only)
    candidates = top_k(source.model, source.dataset, candidate_count(options.k), **only)
    return rerank(candidates, content_vectors(source.dataset), options.diversity, options.k)


def _places(slates: Slates, dataset: Dataset) -> Iterator[dict[str, Any]]:
    """Yield each filled place: user, rank, item, score."""
    for user, item_K, score_K, count in zip(*slates, strict=True):
        for place in range(count):
            yield {
                "user_id": dataset.users[user],
                "rank": place + 1,
                "item_id": dataset.items[item_K[place]],
                "score": float(score_K[place]),
            }
