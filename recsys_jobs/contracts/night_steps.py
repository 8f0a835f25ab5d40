"""The steps of a night, in their order. Airflow's tasks, the report's stages, the crash proof and test nights follow.

A step is `python -m module --run-date D arguments`. A new one is a module, an entry here, and its place among the
arrows of dags/nightly.py. Standard library only: Airflow reads this whenever it parses the DAG.
"""

from __future__ import annotations

from dataclasses import dataclass

from recsys_jobs.contracts.fault_injection import commit_points


@dataclass(frozen=True)
class NightStep:
    """One step: its task in Airflow, what it calls, how long it may take, and what it leaves.

    `kill_points` are the places where it can be made to die while it writes (contracts/fault_injection.py), `rows`
    the SQL that counts what it left for the night `$night`; both are empty where there is nothing of that sort.
    """

    task: str
    module: str
    arguments: tuple[str, ...] = ()
    minutes: int = 60
    takes_recipe: bool = False
    gpu: bool = False
    kill_points: tuple[str, ...] = ()
    rows: str = ""

    @property
    def name(self) -> str:
        """The task's name within its group."""
        return self.task.partition(".")[2]

    def command(self, run_date: str, *more: str) -> list[str]:
        """What follows `python -m`."""
        return [self.module, "--run-date", run_date, *self.arguments, *more]


_IN_ORDER = (
    NightStep(
        "ingest.dumps",
        "spark.ingest",
        minutes=240,
        kill_points=commit_points("quarantine", "reviews", "items", "ingest_files"),
        rows="SELECT coalesce(sum(rows_good), 0) FROM ingest_files WHERE landed_on IS NULL OR landed_on <= $night",
    ),
    NightStep(
        "validate.images",
        "recsys_jobs.images",
        minutes=240,
        kill_points=commit_points("item_images"),
        rows="SELECT count(*) FROM item_images WHERE checked_on <= $night",
    ),
    NightStep(
        "validate.snapshots",
        "spark.snapshots",
        minutes=120,
        kill_points=commit_points("cuts", "interactions", "item_edges", "contents"),
        rows="""
            SELECT count(*) FROM interactions
            WHERE as_of = $night OR as_of IN (SELECT exam_cut FROM cuts WHERE run_date = $night)
        """,  # H's snapshot beside D's
    ),
    NightStep(
        "embed.text",
        "recsys_jobs.embed",
        ("--modality=text",),
        minutes=720,
        gpu=True,
        kill_points=commit_points("embeddings"),
        rows="SELECT count(DISTINCT content_hash) FROM contents WHERE as_of = $night AND modality = 'text'",
    ),
    NightStep(
        "embed.image",
        "recsys_jobs.embed",
        ("--modality=image",),
        minutes=720,
        gpu=True,
        kill_points=commit_points("embeddings"),
        rows="SELECT count(DISTINCT content_hash) FROM contents WHERE as_of = $night AND modality = 'image'",
    ),
    NightStep("embed.gate", "expectations.gate", ("embeddings", "--new")),
    NightStep(
        "train.recipe",
        "recsys_jobs.night.train",
        minutes=720,
        takes_recipe=True,
        gpu=True,
        kill_points=("exam:fitted", "exam:logged"),
    ),
    NightStep(
        "train.floor",
        "recsys_jobs.night.train",
        ("--floor",),
        minutes=240,
        gpu=True,
        kill_points=("exam:fitted", "exam:logged"),
    ),
    NightStep(
        "evaluate.gate",
        "recsys_jobs.night.evaluate",
        minutes=120,
        takes_recipe=True,
        kill_points=commit_points("model_metrics", "promotions"),
        rows="SELECT count(*) FROM model_metrics WHERE run_date = $night AND protocol = 'global_time'",
    ),
    NightStep(
        "recommend.fit",
        "recsys_jobs.night.fit_serving",
        minutes=720,
        takes_recipe=True,
        gpu=True,
        kill_points=(
            *("serving:fitted", "serving:logged", "register:before", "register:after"),
            *("manifest:before", "manifest:after"),
        ),
    ),
    NightStep(
        "recommend.top_k",
        "recsys_jobs.night.top_k",
        minutes=240,
        takes_recipe=True,
        gpu=True,
        kill_points=("staging:shards",),
    ),
    NightStep(
        "recommend.publish",
        "recsys_jobs.night.publish",
        minutes=120,
        takes_recipe=True,
        kill_points=(
            *commit_points("promotions"),
            "publish:intent",
            *commit_points("popular_items", "similar_items", "recommendations"),
            *("publish:tables", "publish:alias", "publish:cleared"),
        ),
        rows="SELECT count(*) FROM recommendations WHERE run_date = $night",
    ),
    NightStep("recommend.report", "recsys_jobs.night.report", takes_recipe=True),
)

STEPS = {step.task: step for step in _IN_ORDER}
