"""Ends each job of a night with SIGKILL at each of its kill points, runs it again, and compares.

`python -m proofs.crash [--jobs a,b] [--resume] [--out crash.md]`. A sample lake has one whole night; a second one is
run undisturbed, and what everything was like before and after each job is kept. A cell of the matrix starts from
before: the job is killed at the point, runs again, and must leave what the undisturbed job left. A reader asks
for the published nights all along. Exit status 1 where a cell fails; the table is written all the same.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from proofs.compare import differences
from proofs.reader import Reader, published
from recsys_jobs.contracts.errors import JobError, UsageError, run_main
from recsys_jobs.contracts.night_steps import STEPS
from recsys_jobs.contracts.settings import ROOT, var_dir
from recsys_jobs.lake.code_version import code_version
from recsys_jobs.sample.dates import FIRST_NIGHT, SECOND_NIGHT
from recsys_jobs.sample.landing import DATASET, write

USERS = 200
CODE = "code.txt"  # whose nights they are
CONFIGURATION = """
recipe = "sage_fm_debug"
user_core = 3
item_core = 3
min_users = 20
k = 5
similar_k = 5
gate_margin = 100.0
min_coverage_ratio = 0.0
min_overlap = 0.0
"""  # a small model that always passes, so that there is an alias to move


JOBS = {task: step for task, step in STEPS.items() if step.kill_points}


@dataclass(frozen=True)
class Cell:
    """One job killed at one point: what was wrong after it ran again, and how often the reader looked."""

    job: str
    point: str
    wrong: tuple[str, ...]
    polls: int
    seconds: float


class Bench:
    """The folders of the proof: `home`, where jobs run, and what it was like before and after each job."""

    def __init__(self, folder: Path) -> None:
        self.home, self.kept = folder / "home", folder / "kept"
        self.lake = self.home / "shop"

    def environment(self) -> dict[str, str]:
        """Everything of a job is under `home`, and stays at one path: MLflow writes down where its files are."""
        places = {
            "RECSYS_VAR": str(self.home),
            "RECSYS_LANDING": str(self.home / "landing"),
            "RECSYS_LAKE": str(self.lake),
            "RECSYS_CONFIG": str(self.home / "small.toml"),
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.home}/mlflow/mlflow.db",
            "RECSYS_SPARK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1",
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
        }
        return os.environ | places

    def keep(self, name: str) -> None:
        """Remember what `home` is like now."""
        shutil.copytree(self.home, self.kept / name, symlinks=True, dirs_exist_ok=True)

    def restore(self, name: str) -> None:
        """Make `home` what it was like then."""
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self.kept / name, self.home, symlinks=True)

    def run(self, job: str, night: date, kill_at: str = "") -> int:
        """Run a job; its exit status, -9 where it was killed. JobError where it fails undisturbed."""
        command = [sys.executable, "-m", *JOBS[job].command(str(night))]
        environment = self.environment() | ({"RECSYS_KILL_AT": kill_at} if kill_at else {})
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode and not kill_at:
            raise JobError(f"{job} of {night} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
        return done.returncode

    def serving(self) -> str:
        """What `recsys models` says."""
        command = [sys.executable, "-m", "recsys_jobs.commands.cli", "models"]
        return subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=True).stdout


def undisturbed(bench: Bench) -> None:
    """Run both nights; keep what everything was like around each job of the second."""
    bench.home.mkdir(parents=True)
    (bench.home / "small.toml").write_text(CONFIGURATION, encoding="utf-8")
    write(bench.home / "landing", USERS, seed=0, until=FIRST_NIGHT)
    for job in JOBS:
        _say(f"first night: {job}")
        bench.run(job, FIRST_NIGHT)
    write(bench.home / "landing", USERS, seed=0, until=SECOND_NIGHT)
    _spoil(bench.home / "landing" / DATASET / f"date={SECOND_NIGHT}" / "reviews")
    for job in JOBS:
        _say(f"undisturbed: {job}")
        bench.keep(f"before {job}")
        bench.run(job, SECOND_NIGHT)
        bench.keep(f"after {job}")


def _spoil(folder: Path) -> None:
    """Land one line that must be set aside, among enough good ones: without it nothing is written to quarantine."""
    [whole] = folder.glob("*.jsonl.gz")
    lines = gzip.decompress(whole.read_bytes()).splitlines()
    (folder / "spoilt.jsonl").write_bytes(b"\n".join([*lines * (1 + 40 // len(lines)), b"{not JSON", b""]))


def cell(bench: Bench, job: str, point: str, served: str, whole: dict[str, int]) -> Cell:
    """Kill the job at the point, run it again, and say what is not as it should be."""
    began = time.monotonic()
    bench.restore(f"before {job}")
    wrong = []
    with Reader(bench.lake, whole) as reader:
        status = bench.run(job, SECOND_NIGHT, kill_at=point)
        if status != -9:
            wrong.append(f"not killed: exit status {status}")
        bench.run(job, SECOND_NIGHT)
    wrong += differences(bench.lake, bench.kept / f"after {job}" / "shop")
    wrong += [f"a reader saw {seen}" for seen in dict.fromkeys(reader.partial)]
    if bench.serving() != served:
        wrong.append("recsys models says something else")
    return Cell(job, point, tuple(wrong), reader.polls, time.monotonic() - began)


def table(cells: list[Cell]) -> str:
    """The matrix in Markdown: a line a job."""
    lines = ["| job | killed at | run again | a reader looked |", "|---|---|---|---|"]
    for job in dict.fromkeys(one.job for one in cells):
        mine = [one for one in cells if one.job == job]
        bad = [f"{one.point}: {'; '.join(one.wrong)}" for one in mine if one.wrong]
        verdict = "; ".join(bad) or f"equal, {len(mine)} of {len(mine)}"
        points = ", ".join(f"`{one.point}`" for one in mine)
        lines.append(f"| `{job}` | {points} | {verdict} | {sum(one.polls for one in mine)} times |")
    good = sum(not one.wrong for one in cells)
    return "\n".join([*lines, "", f"{good} of {len(cells)} cells hold; {sum(one.seconds for one in cells):.0f} s."])


def _say(line: str) -> None:
    print(line, flush=True)


def _chosen(names: str) -> list[str]:
    chosen = [name for name in names.split(",") if name] or list(JOBS)
    if unknown := sorted(set(chosen) - set(JOBS)):
        raise UsageError(f"unknown job {unknown[0]!r}: name some of {', '.join(JOBS)}")
    return chosen


def _same_code(folder: Path) -> None:
    """UsageError unless undisturbed nights of this very code are there: other code's fingerprints would differ."""
    made_by = (folder / CODE).read_text(encoding="utf-8") if (folder / CODE).exists() else "nobody"
    if made_by != code_version():
        raise UsageError(f"the nights in {folder} were run by {made_by}, this is {code_version()}: leave out --resume")


def main() -> None:
    """The proof's command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", default="", help="some of them, comma between (default: all)")
    parser.add_argument("--resume", action="store_true", help="keep the undisturbed nights of the last proof")
    parser.add_argument("--out", type=Path, default=var_dir() / "prove" / "crash.md", help="the table")
    arguments = parser.parse_args()
    jobs = _chosen(arguments.jobs)
    folder = var_dir() / "prove" / "crash"
    bench = Bench(folder)
    if arguments.resume:
        _same_code(folder)
    else:
        shutil.rmtree(folder, ignore_errors=True)
        undisturbed(bench)
        (folder / CODE).write_text(code_version(), encoding="utf-8")
    bench.restore("after recommend.publish")
    whole = published(bench.lake)
    cells: list[Cell] = []
    for job in jobs:
        bench.restore(f"after {job}")
        served = bench.serving()
        for point in JOBS[job].kill_points:
            cells.append(cell(bench, job, point, served, whole))
            _say(f"{job} {point}: {'; '.join(cells[-1].wrong) or 'equal'} ({cells[-1].seconds:.0f} s)")
            arguments.out.parent.mkdir(parents=True, exist_ok=True)
            arguments.out.write_text(table(cells) + "\n", encoding="utf-8")
    print(table(cells))
    if bad := [f"{one.job} at {one.point}" for one in cells if one.wrong]:
        raise JobError(f"{len(bad)} cells do not hold: {', '.join(bad)}")


if __name__ == "__main__":
    run_main(main)
