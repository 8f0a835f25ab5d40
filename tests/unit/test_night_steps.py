"""The list of the night's steps names what is there: modules, tables, the sentence that the README opens with."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from recsys_jobs.contracts import night_steps
from recsys_jobs.contracts.night_steps import STEPS, NightStep
from recsys_jobs.contracts.settings import ROOT
from recsys_jobs.contracts.tables import TABLES


def test_no_task_is_listed_twice() -> None:
    assert len(STEPS) == len(night_steps._IN_ORDER)


def test_the_groups_are_the_readme_s_sentence() -> None:
    groups = dict.fromkeys(task.partition(".")[0] for task in STEPS)
    assert f"`{' >> '.join(groups)}`" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_step_s_module_and_the_tables_that_it_writes_are_there(step: NightStep) -> None:
    assert find_spec(step.module) is not None
    committed = {point.partition(":")[0] for point in step.kill_points if point.endswith(":files")}
    assert committed <= set(TABLES)


def test_a_command_is_what_one_would_type_after_python_m() -> None:
    floor, image = STEPS["train.floor"], STEPS["embed.image"]
    assert floor.command("2014-03-01") == ["recsys_jobs.night.train", "--run-date", "2014-03-01", "--floor"]
    assert (floor.name, image.arguments) == ("floor", ("--modality=image",))
    assert image.command("D", "--more")[-2:] == ["--modality=image", "--more"]
