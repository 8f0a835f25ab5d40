"""Who is asked for, and what is written: people by name, by file, by a draw."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from recsys_jobs.commands.cli import parser
from recsys_jobs.commands.recommend.for_people import RecommendSource, chosen_users, run
from recsys_jobs.commands.recommend.options import RecommendOptions, options_of
from recsys_jobs.contracts.errors import UsageError
from tests.unit.test_ratings import Stars
from tests.unit.worlds import dataset

# two people, who had items 0 and 1; item 3 must not be shown
WORLD = dataset([(0, 0), (1, 1)], 2, 4)
ASKED = RecommendSource(
    Stars(torch.tensor([[9.0, 4, 3, 8], [1, 9, 3, 2]])), WORLD, "random, of a test", {"i00001": "Cup"}, np.array([3])
)


def test_named_people_get_what_they_have_not_as_a_table_and_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "slates.json"
    run(RecommendOptions(users=("u00000", "nobody"), k=5, out=out), ASKED)
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        "random, of a test",
        "",
        "u00000",
        "   1    4.0000  i00001  Cup",
        "   2    3.0000  i00002",
    ]
    assert told.err == "no user 'nobody': left out\n"
    items = [{"rank": 1, "item_id": "i00001", "score": 4.0}, {"rank": 2, "item_id": "i00002", "score": 3.0}]
    assert json.loads(out.read_text()) == {
        "model": "random, of a test",
        "slates": [{"user_id": "u00000", "items": items}],
    }


def test_listed_people_in_their_order_as_csv(tmp_path: Path) -> None:
    listed, out = tmp_path / "people.txt", tmp_path / "slates.csv"
    listed.write_text("u00001\n\n u00000 \nu00001\n")
    run(RecommendOptions(users_file=listed, k=1, out=out), ASKED)
    assert [(row["user_id"], row["item_id"]) for row in csv.DictReader(out.open())] == [
        ("u00001", "i00002"),
        ("u00000", "i00001"),
    ]


def test_a_sample_is_the_same_for_the_same_seed() -> None:
    known = [f"u{n}" for n in range(100)]
    drawn = [chosen_users(RecommendOptions(sample=10, seed=seed), known) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == 10
    assert chosen_users(RecommendOptions(sample=500), known) == known


def test_variety_chooses_other_items(tmp_path: Path) -> None:
    text_IT = np.pad(np.array([[1, 0], [1, 0.1], [0.9, 0], [-1, 1]], np.float32), ((0, 0), (0, 4)))
    varied = dataset([(0, 0)], 1, 4, text_IT=text_IT, text_present_I=np.ones(4, np.bool_))
    model = Stars(torch.tensor([[0.0, 4, 3.9, 1]]))
    for weight, expected in ((0.0, ["i00001", "i00002"]), (0.8, ["i00001", "i00003"])):
        out = tmp_path / "slates.csv"
        run(RecommendOptions(users=("u00000",), k=2, diversity=weight, out=out), RecommendSource(model, varied, ""))
        assert [row["item_id"] for row in csv.DictReader(out.open())] == expected


def test_nobody_known_and_no_file_are_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none of the 1 users is known; the first of 2 is 'u00000'"):
        chosen_users(RecommendOptions(users=("x",)), WORLD.users)
    with pytest.raises(UsageError, match="No such file"):
        chosen_users(RecommendOptions(users_file=tmp_path / "none"), WORLD.users)
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(UsageError, match="empty: write a user id a line"):
        chosen_users(RecommendOptions(users_file=tmp_path / "empty"), WORLD.users)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "for whom"),
        (["--user", "a", "--sample", "3"], "one of them"),
        (["--sample", "-1"], "--sample -1"),
        (["--user", "a", "--diversity", "1.5"], "--diversity 1.5"),
        (["--user", "a", "--exam", "beauty"], "--exam does not go with people"),
        (["--user", "a", "--model", "ease"], "--model does not go with the lake's published model"),
        (["--user", "a", "--out", "x.txt"], "end its name in .json or .csv"),
        (["--history", "h", "--user", "a", "--user", "b"], "a history continues one person's"),
        (["--history", "h", "--data", "d"], "--data does not go with --history"),
        (["--user", "a", "--data", "d", "--model", "none"], "unknown recipe 'none'"),
    ],
)
def test_a_wrong_call_is_said(words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        options_of(parser().parse_args(["recommend", *words]))
