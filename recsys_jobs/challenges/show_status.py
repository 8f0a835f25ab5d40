"""The text of `recsys models`: the version that serves, since when and why; the hold; every version and its state."""

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


def status_lines(settings: Settings) -> list[str]:
    """The text of `recsys models`, a line each."""
    nights = delta.dates(RECOMMENDATIONS)
    if not nights:
        return ["nothing is published yet: run a night first"]
    rows = decision_log.all_rows()
    tomorrow = nights[-1] + timedelta(days=1)
    return [
        *_serving(rows, nights),
        *_next_night(rows, tomorrow, settings),
        *_open_moves(rows),
        "",
        *_versions(rows),
    ]


def _serving(rows: list[Row], nights: list[Any]) -> list[str]:
    """The latest night's model, and the first of the nights without a break that show it."""
    latest = nights[-1]
    slates = delta.read_date(RECOMMENDATIONS, latest, ["model_name", "model_version"])
    version = publish_intent.version_of(slates)
    name = slates["model_name"][0].as_py()
    model = f"{mlflow_client.registered_name()} version {version}" if version else f"the floor, {name}"
    published = [row for row in rows if row["kind"] == "publish" and row["decision"] == "passed"]
    since = latest
    for night in reversed(nights[:-1]):
        if _published_model(published, night) != _published_model(published, latest):
            break
        since = night
    reasons = [row["reason"] for row in published if row["effective_date"] == latest]
    why = reasons[-1] if reasons else "not recorded"
    return [f"serves    {model}: the night of {latest}, since that of {since}", f"why       {why}"]


def _published_model(published: list[Row], night: Any) -> tuple[Any, Any] | None:
    """Recipe and version of the model that this night published; None where no row says."""
    of_night = [row for row in published if row["effective_date"] == night]
    return (of_night[-1]["recipe"], of_night[-1]["model_version"]) if of_night else None


def _next_night(rows: list[Row], tomorrow: Any, settings: Settings) -> list[str]:
    hold = serving_rules.hold(rows, tomorrow)
    recipe = decision_log.recipe_in_force(tomorrow, settings)
    if hold is None:
        return [f"next      a fit of {recipe}, if it passes the gate"]
    model = f"version {hold.version}" if hold.version else "the floor"
    since = f"{hold.row['decided_at']:%Y-%m-%d %H:%M} UTC"
    return [
        f"next      {model}, held since {since} by {hold.row['kind']}; {recipe} is fitted and recorded",
        "          recsys promote --release lets nights publish what they fit again",
    ]


def _open_moves(rows: list[Row]) -> list[str]:
    lines = [
        f"open      {row['kind']} of {row['effective_date']}: the next run finishes it; {row['reason']}"
        for row in serving_rules.open_moves(rows)
    ]
    version = manual_alias.moved_version(rows)
    if version is not None:
        lines.append(
            f"by hand   {mlflow_client.CHAMPION} was moved to version {version}: the next live night publishes it"
        )
    return lines


def _versions(rows: list[Row]) -> list[str]:
    """One line a version, the newest first."""
    rejected = serving_rules.rejected_versions(rows)
    alias_of = {mlflow_client.champion(): mlflow_client.CHAMPION}
    if previous := mlflow_client.version_with_alias(mlflow_client.PREVIOUS):
        alias_of[int(previous.version)] = mlflow_client.PREVIOUS
    lines = [f"{'version':>7}  {'night':<10}  {'recipe':<16}  {'fingerprint':<16}  state"]
    for version in reversed(mlflow_client.versions()):
        number, tags = int(version.version), version.tags
        marks = (alias_of.get(number, ""), "rejected" if number in rejected else "")
        state = ", ".join(filter(None, marks))
        lines.append(
            f"{number:>7}  {tags.get('run_date', '?'):<10}  {tags.get('recipe', '?'):<16}  "
            f"{tags.get('fingerprint', '?'):<16}  {state}".rstrip()
        )
    return lines
