"""The command line of `recsys exam`: what it takes, and that help names all of it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from recsys_jobs.commands.cli import parser
from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.data.split_protocols import PROTOCOLS
from recsys_jobs.exam.options import MORE, ExamOptions, options_from, recipe_names
from recsys_jobs.models.recipes import RECIPES


def call(*arguments: str) -> ExamOptions:
    return options_from(parser().parse_args(["exam", "data", *arguments]))


def test_the_usual_call() -> None:
    assert call() == ExamOptions(Path("data").absolute(), ("best",))


def test_every_option() -> None:
    found = call(
        *("--models", "popularity, random,popularity", "--protocol", "leave-last-out", "--final", "--out", "x.json"),
        *("--k", "20,5", "--mask", "train", "--task", "ranking", "--sampled", "popularity", "--negatives", "9"),
        *("--seed", "3", "--date", "2014-03-01", "--core", "2"),
    )
    assert found == ExamOptions(
        data=Path("data").absolute(),
        models=("popularity", "random", "popularity"),
        protocol="leave_last_out",
        final=True,
        out=Path("x.json").absolute(),
        k_values=(5, 20),
        mask="train",
        task="ranking",
        sampled="popularity",
        negatives=9,
        seed=3,
        run_date=date(2014, 3, 1),
        core=2,
    )


def test_best_is_a_recipe_and_each_recipe_is_fitted_once() -> None:
    for layout in ("split_file", "sequences", "csv_folder", "movielens", "lake"):
        (best,) = recipe_names(call(), layout)
        assert best in RECIPES
        assert recipe_names(call("--models", f"best,random,{best}"), layout) == [best, "random"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--models", "popularity,magic"), "unknown recipe 'magic'"),
        (("--models", ","), "--models names none"),
        (("--k", "10,many"), "--k is '10,many'"),
        (("--k", "0"), "--k is '0'"),
        (("--negatives", "0"), "--negatives is 0"),
        (("--date", "soon"), "'soon' is not a date"),
    ],
)
def test_a_wrong_call_is_one_line(arguments: tuple[str, ...], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        call(*arguments)


def test_help_names_every_protocol() -> None:
    for name in PROTOCOLS:
        assert name in MORE
