"""What both sides of the speed comparison learn from: the same events, and no others."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from benchmarks.peers import train_part, write_events
from recsys_jobs.data.readers import sequences
from recsys_jobs.data.readers.raw import RawData


@pytest.fixture
def raw(tmp_path: Path) -> RawData:
    """Three users, of whom the last has no event left when two are kept out."""
    (tmp_path / "sequences.txt.gz").write_bytes(gzip.compress(b"ann 1 2 3 4\nbob 2 1 3\neve 4 2\n"))
    items = "\n".join(f'{{"item": {n}, "asin": "A{n}"}}' for n in range(1, 5))
    (tmp_path / "items.jsonl.gz").write_bytes(gzip.compress(items.encode()))
    return sequences.read(tmp_path)


def test_we_train_on_all_but_the_last_two_events_of_each_user(raw: RawData) -> None:
    data = train_part(raw)
    pairs = zip(data.event_user_E.tolist(), data.event_item_E.tolist(), strict=True)
    assert {(data.users[user], data.items[item]) for user, item in pairs} == {("ann", "1"), ("ann", "2"), ("bob", "2")}
    assert len(data.rating_E) == len(data.time_E) == 3


def test_the_peer_reads_every_event_with_its_place_in_the_order(raw: RawData, tmp_path: Path) -> None:
    write_events(raw, tmp_path / "peers" / "peers.inter")
    head, *lines = (tmp_path / "peers" / "peers.inter").read_text().splitlines()
    assert head == "user_id:token\titem_id:token\ttimestamp:float"
    rows = [line.split("\t") for line in lines]
    assert len(rows) == 9
    by_place = sorted(rows, key=lambda row: int(row[2]))
    assert [raw.items[int(item)] for user, item, _ in by_place if raw.users[int(user)] == "ann"] == ["1", "2", "3", "4"]
