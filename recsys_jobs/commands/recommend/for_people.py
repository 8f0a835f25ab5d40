"""Slates for people of a fitted model's dataset: who they are, what they are shown, a table or a file.

U people asked for, I items, K places.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from recsys_jobs.commands.recommend.options import Call
from recsys_jobs.commands.recommend.written import write_csv
from recsys_jobs.contracts.errors import UsageError, sanitize
from recsys_jobs.data.dataset import Dataset, Ints
from recsys_jobs.ranking.maximal_marginal_relevance import candidate_count, content_vectors, rerank
from recsys_jobs.ranking.model import Model
from recsys_jobs.ranking.top_k import Slates, top_k

_SHOWN = 60  # characters of a title


@dataclass(frozen=True)
class Asked:
    """A model over the people and items of a dataset, and where both are from, in words."""

    model: Model
    dataset: Dataset
    words: str
    titles: Mapping[str, str] = field(default_factory=dict)
    blocked_items: Ints | None = None


def run(call: Call, asked: Asked) -> None:
    """Print the slates of the people that the call names, and write them where it says."""
    user_U = _rows_of(people(call, asked.dataset.users), asked.dataset.users)
    slates = list(_slates(call, asked, user_U))
    print(asked.words + (f"; variety weighs {call.diversity:g}" if call.diversity else ""))
    for block in slates:
        for row in _places(block, asked.dataset):
            if row["rank"] == 1:
                print(f"\n{row['user_id']}")
            title = sanitize(asked.titles.get(row["item_id"], ""))[:_SHOWN]
            print(f"{row['rank']:4}  {row['score']:8.4f}  {row['item_id']}  {title}".rstrip())
    if call.out:
        _write(call.out, [row for block in slates for row in _places(block, asked.dataset)], asked.words)


def people(call: Call, known: list[str]) -> list[str]:
    """Return the ids that a call names, those that are not `known` told; UsageError where none is."""
    if call.sample:
        drawn = np.random.default_rng(call.seed).permutation(len(known))[: call.sample]
        return [known[row] for row in np.sort(drawn)]
    wanted = _listed(call.users_file) if call.users_file else list(call.users)
    there = set(known)
    for user in wanted:
        if user not in there:
            print(f"no user {sanitize(user)!r}: left out", file=sys.stderr)
    if not there & set(wanted):
        raise UsageError(f"none of the {len(wanted)} users is known; the first of {len(known):,} is {known[0]!r}")
    return [user for user in wanted if user in there]


def _listed(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UsageError(f"{path}: {why}: name a file with a user id a line") from None
    found = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not found:
        raise UsageError(f"{path}: empty: write a user id a line")
    return found


def _rows_of(wanted: list[str], users: list[str]) -> Ints:
    row = {user: number for number, user in enumerate(users)}
    return np.array([row[user] for user in wanted], np.int64)


def _slates(call: Call, asked: Asked, user_U: Ints) -> Iterator[Slates]:
    """Yield the people's slates, in their order."""
    how: dict[str, Any] = {"users": user_U, "blocked_items": asked.blocked_items}
    if not call.diversity:
        return top_k(asked.model, asked.dataset, call.k, **how)
    longer = top_k(asked.model, asked.dataset, candidate_count(call.k), **how)
    return rerank(longer, content_vectors(asked.dataset), call.diversity, call.k)


def _places(slates: Slates, dataset: Dataset) -> Iterator[dict[str, Any]]:
    """Yield each filled place: user, rank, item, score."""
    for user, item_K, score_K, count in zip(*slates, strict=True):
        for place in range(count):
            where = {"user_id": dataset.users[user], "rank": place + 1}
            yield where | {"item_id": dataset.items[item_K[place]], "score": float(score_K[place])}


def _write(path: Path, rows: list[dict[str, Any]], words: str) -> None:
    """Write the places as CSV, or as JSON an object a person."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        write_csv(path, ("user_id", "rank", "item_id", "score"), [tuple(row.values()) for row in rows])
        return
    by_user: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_user.setdefault(row["user_id"], []).append({name: row[name] for name in ("rank", "item_id", "score")})
    slates = [{"user_id": user, "items": items} for user, items in by_user.items()]
    path.write_text(json.dumps({"model": words, "slates": slates}, indent=1) + "\n", encoding="utf-8")
