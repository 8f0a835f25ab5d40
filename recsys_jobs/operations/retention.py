"""Keeps the lake within its retention: `python -m recsys_jobs.operations.retention STEP … [--dry-run]`.

Steps, in this order: `snapshots` drops old ones, `embeddings` what no content asks for, `compact` joins small
files, `vacuum` removes files and log entries that no promised version needs, `models` archives old versions.
Every step is safe to repeat. Each holds the lake alone, so that no step of a night is at work on it meanwhile; a
reader needs no lock, for a file goes `time_travel_days` after the last version that names it at the earliest.
Files are rewritten by delta-rs whichever engine writes the rows: their content is not changed.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from recsys_jobs.contracts import lake_lock
from recsys_jobs.contracts.errors import UsageError, run_main
from recsys_jobs.contracts.settings import Settings, lake_root, load_settings
from recsys_jobs.contracts.tables import (
    CONTENTS,
    CUTS,
    EMBEDDINGS,
    INTERACTIONS,
    ITEM_EDGES,
    ITEM_IMAGES,
    ITEMS,
    RECOMMENDATIONS,
    REVIEWS,
    TABLES,
    Table,
)
from recsys_jobs.lake import delta
from recsys_jobs.lake.delta import DeltaTable

log = logging.getLogger(__name__)

_EPOCH = datetime.fromtimestamp(0, UTC)
_WAIT = 3600.0  # seconds for running steps to end
_SNAPSHOTS = (INTERACTIONS, ITEM_EDGES, CONTENTS)
_CONTENT = (  # the columns that name a content
    (REVIEWS, "text_hash"),
    (ITEMS, "text_hash"),
    (INTERACTIONS, "text_hash"),
    (ITEM_IMAGES, "content_hash"),
    (CONTENTS, "content_hash"),
)


def drop_snapshots(settings: Settings, dry_run: bool) -> None:
    """Drop the cuts that no retained night reads as its D or its H, unless they were written recently."""
    nights = delta.read(CUTS, columns=["run_date", "exam_cut"]).to_pylist()
    if not nights:
        return
    oldest = max(night["run_date"] for night in nights) - timedelta(days=settings.snapshot_days)
    settled = _days_ago(settings.settle_days)
    fresh = {day for table in (CUTS, *_SNAPSHOTS) for day in _written_since(table, settled)}
    retained = [night for night in nights if night["run_date"] >= oldest or night["run_date"] in fresh]
    needed = fresh | {night[name] for night in retained for name in ("run_date", "exam_cut")}
    # the row of `cuts` first: it says that the snapshots of its night are complete
    _drop_days(CUTS, {night["run_date"] for night in nights if night not in retained}, dry_run)
    for table in _SNAPSHOTS:
        _drop_days(table, set(_partitions(table)) - needed, dry_run)


def drop_embeddings(settings: Settings, dry_run: bool) -> None:
    """Drop vectors and stored images whose content is in no table any more: superseded, edited away, forgotten.

    A content that a table still names stays, on any date and for any encoder: it is never encoded twice.
    """
    columns = [delta.read(table, columns=[name])[name].combine_chunks() for table, name in _CONTENT]
    named = pc.unique(pa.chunked_array(columns, pa.string()).drop_null())
    hashes = pc.unique(delta.read(EMBEDDINGS, columns=["content_hash"])["content_hash"])
    orphans = hashes.filter(pc.invert(pc.is_in(hashes, named)))
    log.info("embeddings: %d of %d contents are in no table", len(orphans), len(hashes))
    if not dry_run:
        delta.remove_rows(EMBEDDINGS, pc.field("content_hash").isin(orphans))
    _drop_images(set(named.to_pylist()), _days_ago(settings.settle_days), dry_run)


def compact(_: Settings, dry_run: bool) -> None:
    """Join small files, partition by partition; a partition of one file is left as it is."""
    for table, delta_table in _existing_tables():
        before = len(delta_table.file_uris())
        if not dry_run:
            delta_table.optimize.compact()
        log.info("%s: %d files%s", table.name, before, "" if dry_run else f", {len(delta_table.file_uris())} now")


def vacuum(settings: Settings, dry_run: bool) -> None:
    """Remove files that no version of the last `time_travel_days` needs, and set both engines to keep that promise."""
    days = f"interval {settings.time_travel_days} days"
    promised = {"delta.logRetentionDuration": days, "delta.deletedFileRetentionDuration": days}
    for table, delta_table in _existing_tables():
        configuration = delta_table.metadata().configuration
        if not dry_run and any(configuration.get(name) != value for name, value in promised.items()):
            delta_table.alter.set_table_properties(promised)
        hours = 24 * settings.time_travel_days
        files = delta.vacuum(delta_table, hours, dry_run)
        log.info("%s: %d files are older than %d days", table.name, len(files), settings.time_travel_days)
        if not dry_run:
            delta_table.create_checkpoint()
            delta_table.cleanup_metadata()


def archive_models(settings: Settings, dry_run: bool) -> None:
    """Mark the registered versions that no alias names, no retained night shows and that are not among the newest."""
    from recsys_jobs.registry import mlflow_client  # MLflow takes seconds, and the other steps need none of it

    versions = mlflow_client.versions()
    used = set(mlflow_client.aliases().values()) | _recently_published(settings.snapshot_days)
    older = versions[: -settings.model_versions or None]
    unused = [version for version in older if int(version.version) not in used]
    to_archive = [version for version in unused if mlflow_client.ARCHIVED not in version.tags]
    archived = len(unused) - len(to_archive)
    log.info("models: %d versions, %d of them archived, %d now", len(versions), archived, len(to_archive))
    for version in () if dry_run else to_archive:
        mlflow_client.archive_version(version, str(datetime.now(UTC).date()))


STEPS: dict[str, Callable[[Settings, bool], None]] = {
    "snapshots": drop_snapshots,
    "embeddings": drop_embeddings,
    "compact": compact,
    "vacuum": vacuum,
    "models": archive_models,
}


def maintain(steps: list[str], dry_run: bool = False) -> None:
    """Run these steps on the lake; JobError where a night's step holds it for more than an hour."""
    settings = load_settings()
    for name in ("time_travel_days", "snapshot_days", "settle_days", "model_versions"):
        if getattr(settings, name) < 1:
            raise UsageError(f"{name} is {getattr(settings, name)}: it must be at least 1 (RECSYS_CONFIG)")
    for step in steps:
        with lake_lock.exclusive(f"maintenance ({step})", _WAIT):
            STEPS[step](settings, dry_run)


def _existing_tables() -> Iterator[tuple[Table, DeltaTable]]:
    for table in TABLES.values():
        if (delta_table := delta.open_table(table)) is not None:
            yield table, delta_table


def _days_ago(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


def _written_since(table: Table, moment: datetime) -> set[date]:
    return {day for day, written in _partitions(table).items() if written >= moment}


def _partitions(table: Table) -> dict[date, datetime]:
    """Return the dates of a partitioned table, and when the newest file of each was written."""
    delta_table = delta.open_table(table)
    if delta_table is None:
        return {}
    newest: dict[date, datetime] = {}
    for row in pa.table(delta_table.get_add_actions(flatten=True)).to_pylist():
        day = row[f"partition.{table.partitioned_by[0]}"]
        written = datetime.fromtimestamp(row["modification_time"] / 1000, UTC)
        newest[day] = max(newest.get(day, _EPOCH), written)
    return newest


def _recently_published(days: int) -> set[int]:
    """Return the registry versions in the slates of the newest night, and of those at most `days` before it."""
    rows = delta.read(RECOMMENDATIONS, pc.field("model_version").is_valid(), ["run_date", "model_version"])
    if not rows.num_rows:
        return set()
    since = pc.max(rows["run_date"]).as_py() - timedelta(days=days)
    return set(pc.unique(rows.filter(pc.field("run_date") >= since)["model_version"]).to_pylist())


def _drop_days(table: Table, days: set[date], dry_run: bool) -> None:
    delta_table = delta.open_table(table)
    if delta_table is None or not days:
        return
    log.info("%s: %d dates from %s to %s are dropped", table.name, len(days), min(days), max(days))
    if not dry_run:
        listed = ", ".join(f"'{day.isoformat()}'" for day in sorted(days))
        delta_table.delete(f"{table.partitioned_by[0]} IN ({listed})")


def _drop_images(named: set[str], moment: datetime, dry_run: bool) -> None:
    orphans = [path for path in (lake_root() / "images").glob("*/*.jpg") if path.stem not in named]
    settled = [path for path in orphans if datetime.fromtimestamp(path.stat().st_mtime, UTC) < moment]
    log.info("images: %d stored ones are in no table", len(settled))
    for path in () if dry_run else settled:
        path.unlink()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m recsys_jobs.operations.retention", description=__doc__)
    parser.add_argument("steps", nargs="+", choices=STEPS, metavar="STEP", help=", ".join(STEPS))
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and change nothing")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    maintain(arguments.steps, arguments.dry_run)


if __name__ == "__main__":
    run_main(main)
