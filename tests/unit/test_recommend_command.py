"""The real command: an exam keeps its catalogue, a plain history gets its slate; the lake and its users too."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path

import pytest

from recsys_jobs.commands.cli import parser
from recsys_jobs.commands.recommend.options import options_of
from recsys_jobs.contracts.errors import UsageError
from tests.processes import run_module_elsewhere
from tests.unit.test_exam_command import shop


def recsys(var: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"RECSYS_VAR": str(var), "RECSYS_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
    return run_module_elsewhere("recsys_jobs.commands.cli", *words, environment=environment)


@pytest.mark.slow
def test_an_exam_s_model_answers_a_stranger(tmp_path: Path) -> None:
    """The shop's people have either cups or plates, in turn."""
    var, history, out = tmp_path / "var", tmp_path / "history.txt", tmp_path / "slate.csv"
    history.write_text("i1 2014-05-01\ni3 2014-05-02\nteapot 2014-05-03\ni5 2014-05-04\n")
    nothing = recsys(var, "recommend", "--history", str(history), "--exam", "shop")
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert "run recsys exam DATA --models" in nothing.stderr
    assert recsys(var, "exam", str(shop(tmp_path / "shop")), "--models", "gated_sequence").returncode == 0
    done = recsys(var, "recommend", "--history", str(history), "--exam", "shop", "--k", "4", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert f"{history}, line 3: no item 'teapot' in the catalogue: left out" in done.stderr
    assert "gated_sequence, fitted for the exam shop" in done.stdout
    rows = list(csv.DictReader(out.open()))
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4"]
    assert all(int(row["item_id"][1:]) % 2 for row in rows)
    assert not {row["item_id"] for row in rows} & {"i1", "i3", "i5"}
    history.write_text("teapot\nkettle\n")
    strange = recsys(var, "recommend", "--history", str(history), "--exam", "shop")
    assert strange.returncode == 2
    assert "learned of none of its 2 items, the first of them 'teapot'" in strange.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "ease"], "ease reads no plain history: name one of sasrec, gated_sequence, temporal_gpt2"),
        (["--model", "none"], "unknown recipe 'none'"),
        (["--k", "0"], "--k is 0"),
        (["--user", "u", "--exam", "beauty"], "--user is a person of the lake"),
    ],
)
def test_a_wrong_call_is_said(words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        options_of(parser().parse_args(["recommend", "--history", "h.txt", *words]))
