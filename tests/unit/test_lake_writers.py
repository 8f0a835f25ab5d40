"""Two writers of one date at the same moment: one wins whole, the other says so."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from threading import Barrier

import pyarrow as pa
import pytest

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.tables import RECOMMENDATIONS
from recsys_jobs.lake import delta

DAY, USERS = date(2014, 3, 1), 2_000


def rows(model: str) -> pa.Table:
    made = {"model_name": model, "model_version": None, "model_fingerprint": "f"}
    row = {"run_date": DAY, "rank": 1, "item_id": "cup", "score": 1.0} | made
    everyone = [row | {"user_id": f"u{user}"} for user in range(USERS)]
    return pa.Table.from_pylist(everyone, delta.arrow_schema(RECOMMENDATIONS))


def test_one_wins_whole_and_the_other_says_so(tmp_path: Path) -> None:
    delta.replace_date(RECOMMENDATIONS, DAY, rows("before"), tmp_path)
    start = Barrier(2)

    def write(model: str) -> str:
        start.wait()
        try:
            delta.replace_date(RECOMMENDATIONS, DAY, rows(model), tmp_path)
        except JobError as error:
            return str(error)
        return ""

    met = 0
    with ThreadPoolExecutor(2) as pool:
        for _ in range(40):  # now and then one is done before the other begins: both win then, the later one stands
            said = list(pool.map(write, ("one", "other")))
            stands = delta.read_date(RECOMMENDATIONS, DAY, lake=tmp_path)
            assert stands.num_rows == USERS
            [winner] = set(stands["model_name"].to_pylist())
            assert said[("one", "other").index(winner)] == "", "who was told of another's rows wrote none"
            lost = [line for line in said if line]
            assert all("another writer changed recommendations at the same moment" in line for line in lost)
            met += len(lost)
            if met == 3:
                return
    pytest.fail(f"two writers met {met} times of 40")
