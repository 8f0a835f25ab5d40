"""What serves, since when and why; what is held; every version and where it stands."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from recsys_jobs.contracts.settings import Settings
from recsys_jobs.contracts.tables import RECOMMENDATIONS
from recsys_jobs.lake import delta
from recsys_jobs.promotion import decision_log, manual_alias, serving_rules
from recsys_jobs.promotion.decision_log import Row
from recsys_jobs.publishing import publish_intent
from recsys_jobs.registry import mlflow_client


def lines(settings: Settings) -> list[str]:
    """The text of `recsys models`, a line each."""
    nights = delta.dates(RECOMMENDATIONS)
    if not nights:
        return ["nothing is published yet: run a night first"]
    rows, tomorrow = decision_log.all_rows(), nights[-1] + timedelta(days=1)
    return [
        *_serving(rows, nights),
        *_next(rows, tomorrow, settings),
        *_open(rows),
        "",
        *_versions(rows),
    ]


def _serving(rows: list[Row], nights: list[Any]) -> list[str]:
    """The latest night's model, and the first of the nights without a break that show it."""
    latest = nights[-1]
    slates = delta.read_date(RECOMMENDATIONS, latest, ["model_name", "model_version"])
    version, name = publish_intent.version_of(slates), slates["model_name"][0].as_py()
    what = f"{mlflow_client.registered_name()} version {version}" if version else f"the floor, {name}"
    published = [row for row in rows if row["kind"] == "publish" and row["decision"] == "passed"]
    since = latest
    for night in reversed(nights[:-1]):
        if _shown(published, night) != _shown(published, latest):
            break
        since = night
    why = next((row["reason"] for row in reversed(published) if row["effective_date"] == latest), "not recorded")
    return [f"serves    {what}: the night of {latest}, since that of {since}", f"why       {why}"]


def _shown(published: list[Row], night: Any) -> tuple[Any, Any] | None:
    of_night = [row for row in published if row["effective_date"] == night]
    return (of_night[-1]["recipe"], of_night[-1]["model_version"]) if of_night else None


def _next(rows: list[Row], tomorrow: Any, settings: Settings) -> list[str]:
    held = serving_rules.hold(rows, tomorrow)
    recipe = decision_log.recipe_in_force(tomorrow, settings)
    if held is None:
        return [f"next      a fit of {recipe}, if it passes the gate"]
    what = f"version {held.version}" if held.version else "the floor"
    since = f"{held.row['decided_at']:%Y-%m-%d %H:%M} UTC"
    return [
        f"next      {what}, held since {since} by {held.row['kind']}; {recipe} is fitted and recorded",
        "          recsys promote --release lets nights publish what they fit again",
    ]


def _open(rows: list[Row]) -> list[str]:
    left = [
        f"open      {row['kind']} of {row['effective_date']}: the next run finishes it; {row['reason']}"
        for row in serving_rules.open_moves(rows)
    ]
    version = manual_alias.moved_version(rows)
    if version is not None:
        left.append(
            f"by hand   {mlflow_client.CHAMPION} was moved to version {version}: the next live night publishes it"
        )
    return left


def _versions(rows: list[Row]) -> list[str]:
    """One line a version, the newest first."""
    out = serving_rules.rejected_versions(rows)
    previous = mlflow_client.version_with_alias(mlflow_client.PREVIOUS)
    marks = {mlflow_client.champion(): mlflow_client.CHAMPION} | (
        {int(previous.version): mlflow_client.PREVIOUS} if previous else {}
    )
    lines = [f"{'version':>7}  {'night':<10}  {'recipe':<16}  {'fingerprint':<16}  state"]
    for version in reversed(mlflow_client.versions()):
        number, tags = int(version.version), version.tags
        state = [mark for mark in (marks.get(number, ""), "rejected" if number in out else "") if mark]
        lines.append(
            f"{number:>7}  {tags.get('run_date', '?'):<10}  {tags.get('recipe', '?'):<16}  "
            f"{tags.get('fingerprint', '?'):<16}  {', '.join(state)}".rstrip()
        )
    return lines
