"""Each user's slate with its hits, by hand, in both formats; what variety costs, as rows, text and picture."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from recsys_jobs.commands.cli import parser
from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.exam import diversity_trade_off, results
from recsys_jobs.exam.fit_in_process import FitSummary
from recsys_jobs.exam.options import options_from
from recsys_jobs.exam.predictions import Predictions, predictions
from recsys_jobs.exam.run import measure
from recsys_jobs.models.recipes import get_recipe
from tests.unit.test_exam_results import QUESTION, usual
from tests.unit.test_ratings import Stars

# user 0 had item 0 and takes 1, user 1 had item 1 and takes 0
MODEL = Stars(torch.tensor([[1.0, 4, 3, 2], [1, 4, 3, 2]]))
ROWS = [
    {"user_id": "u00000", "item_ids": ["i00001", "i00002"], "scores": [4.0, 3.0], "hits": [True, False]},
    {"user_id": "u00001", "item_ids": ["i00002", "i00003"], "scores": [3.0, 2.0], "hits": [False, False]},
]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_each_user_has_a_row_with_what_was_shown_and_hit(tmp_path: Path, suffix: str) -> None:
    file = Predictions(tmp_path / "deep" / f"slates{suffix}")
    for name in ("popularity", "random"):
        file.add(predictions(MODEL, name, QUESTION, 2, "validation"))
    path = file.close()
    read = pq.read_table(path).to_pylist() if suffix == ".parquet" else list(map(json.loads, path.open()))
    same = {"targets": 1, "part": "validation"}
    assert read == [{"model": name} | row | same for name in ("popularity", "random") for row in ROWS]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == [f"slates{suffix}"]


def test_a_score_that_is_no_number_is_null_in_json(tmp_path: Path) -> None:
    file = Predictions(tmp_path / "slates.jsonl")
    file.add(predictions(Stars(torch.tensor([[0.0, 1, np.inf, 2], [0, 1, 2, 3]])), "random", QUESTION, 3, "test"))
    first = json.loads(file.close().read_text().splitlines()[0])
    assert first["scores"][-1] is None


def test_variety_has_rows_of_its_own_a_table_and_a_picture(tmp_path: Path) -> None:
    text_IT = np.pad(np.array([[1, 0], [1, 0.1], [0.9, 0], [-1, 1]], np.float32), ((0, 0), (0, 4)))
    scored = replace(QUESTION.datasets.score, text_IT=text_IT, text_present_I=np.ones(4, np.bool_))
    prepared = replace(QUESTION, datasets=replace(QUESTION.datasets, score=scored))
    call = usual(diversity=(0.9,))
    fit = FitSummary(get_recipe("random"), "f", 0, 1.0, 1.0, [], {})
    rows = [
        row
        for weight in (0.0, 0.9)
        for row in results.result_rows(call, prepared, fit, measure(MODEL, prepared, call, weight), weight)
    ]
    found = diversity_trade_off.curves(rows, 2)
    plain, varied = found["random"]
    assert (plain["ndcg"]["variety"], varied["ndcg"]["variety"]) == (0.0, 0.9)
    assert varied["diversity"]["value"] > plain["diversity"]["value"]
    assert varied["ndcg"]["value"] == plain["ndcg"]["value"] == 0.5  # the first place stands
    lines = diversity_trade_off.table(found, 2).splitlines()
    assert [line.split("  ")[0] for line in lines[2:]] == ["random, 0", "random, 0.9"]
    assert diversity_trade_off.write_plot(found, "shop", tmp_path / "x.json").stat().st_size > 1000
    assert diversity_trade_off.curves([row for row in rows if not row["variety"]], 2) == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--predictions", "x.csv"], "--predictions x.csv: end its name in .jsonl or .parquet"),
        (["--predictions", "x.jsonl", "--sampled", "random"], "--predictions is of slates by full ranking"),
        (["--diversity", "2"], "--diversity 2: write weights from 0 to 1"),
        (["--diversity", "a"], "--diversity a: write weights"),
        (["--diversity", "0.1", "--task", "ranking"], "--diversity is of slates by full ranking"),
    ],
)
def test_a_wrong_call_is_said(words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        options_from(parser().parse_args(["exam", "data", *words]))


def test_weights_are_sorted_each_once_and_0_is_the_exam_itself() -> None:
    assert options_from(parser().parse_args(["exam", "d", "--diversity", "0.3,0,0.1,0.3"])).diversity == (0.1, 0.3)
