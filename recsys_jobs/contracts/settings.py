"""What a run is configured with, and where it reads and writes. Standard library only.

A configuration is a frozen dataclass that a plain function returns; `RECSYS_CONFIG` names one
(`default`, `demo`) or a TOML file whose keys override `default`. Places come from the environment.
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from recsys_jobs.contracts.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Settings:
    """The whole configuration of a night; every field may be set by a TOML file of the same keys."""

    # ingest
    max_quarantined: float = 0.05  # share of a file's lines above which the file is refused
    # snapshots
    min_rating: float = 0.0  # a review below it is no positive; 0 keeps every review
    user_core: int = 5  # k-core: events a user needs
    item_core: int = 5  # k-core: events an item needs
    validation_share: float = 0.1  # of the core's events, the last in time
    min_users: int = 200  # holdout users a decision needs
    max_holdout_share: float = 0.2  # of all events
    listed_edges: bool = True  # also_bought and its kin: a crawl of unknown date
    edges_per_item: int = 50  # strongest co-review edges kept an item
    history_for_edges: int = 50  # last events of a user that make co-review edges
    # images
    image_side: int = 224  # stored images fit into a square of this side, in pixels
    image_max_bytes: int = 20_000_000
    image_max_pixels: int = 50_000_000
    image_workers: int = 16
    image_timeout: float = 10.0  # seconds for a connection, and for each wait on it
    image_deadline: float = 30.0  # seconds for one image from start to end
    image_retries: int = 2
    image_host_failures: int = 5  # in a row, after which a host is left alone for the night
    image_allowed_hosts: tuple[str, ...] = ()  # hosts that may be private or loopback, as host or host:port
    # a data set of item_info.csv
    numeric_columns: tuple[str, ...] = ()  # which columns are numbers; none named: all that hold nothing else
    # embeddings
    text_encoder: str = "minilm"
    image_encoder: str = "efficientnet_lite0"
    encoder_months: int = 3  # encoders from scratch (scratch, scratch_small) are refitted as often as that
    precision: str = "float32"
    reviews_per_user: int = 5  # last reviews that stand for a user
    reviews_per_item: int = 5  # last reviews that stand for an item without a description
    # training, gate, publishing
    recipe: str = "recent_sage"
    bakeoff_recipes: tuple[str, ...] = (  # what the weekly bake-off measures beside the recipe in force
        "recent_sage",
        "sage_fm_recent",
        "sage_fm",
        "sage_fm_text_graph",
        "multimodal_knn_recent",
        "ease_text_recent",
        "item_knn_recent",
        "lightgcn",
        "ease_lightgcn_sage",
        "attention_contrastive",
        "gated_sequence",
        "temporal_gpt2",
        "ncf_rating",
        "popularity_recent",
    )
    floors: tuple[str, ...] = (  # the strongest of these on validation is what the recipe is held against
        "multimodal_knn_recent",
        "ease_text_recent",
        "text_knn_recent",
        "item_knn_recent",
        "popularity_recent",
    )
    floor_max_items: int = 20_000  # above it, none that needs a dense matrix of all pairs of items
    seed: int = 0
    k: int = 20  # published slate length
    similar_k: int = 20
    gate_margin: float = 0.05  # share of the floor's NDCG by which a model may be worse
    min_coverage_ratio: float = 0.5  # of the floor's catalogue coverage
    min_overlap: float = 0.05  # share of the exam fit's slates that the serving fit must still show the same people
    min_night_overlap: float = 0.2  # share of last night's places shown again, below which people are told
    max_score_drift: float = 0.5  # Kolmogorov-Smirnov distance from last night's scores, above which people are told
    min_published_coverage: float = 0.01  # share of the eligible items that some slate must show
    # retention (python -m recsys_jobs.operations.retention): a year, and a month in which to ask about its first day
    time_travel_days: int = 400  # every version of a table that was current since can be read
    snapshot_days: int = 400  # of nights before the newest; older snapshots are dropped, what was published stays
    settle_days: int = 2  # what was written since is left alone: a backfill may be at work on it
    model_versions: int = 20  # newest registered versions that are not archived


def default() -> Settings:
    """The production configuration."""
    return Settings()


def demo() -> Settings:
    """The sample's configuration: production, on a catalogue of a few hundred items.

    600 users in the holdout are about ten days of the sample: with 200, intervals are wider than most differences.
    Static vectors tell its short texts apart better than the model that they are distilled from (docs/encoders.md).
    """
    return Settings(user_core=3, item_core=3, k=10, similar_k=10, min_users=600, text_encoder="static")


CONFIGURATIONS = {"default": default, "demo": demo}


def load_settings(name: str | None = None) -> Settings:
    """Return the configuration called `name`, else `RECSYS_CONFIG`'s, else `default`.

    Raises UsageError for an unknown name, an unreadable file, or an unknown or mistyped key.
    """
    name = name or os.environ.get("RECSYS_CONFIG") or "default"
    if name in CONFIGURATIONS:
        return CONFIGURATIONS[name]()
    return _from_toml(Path(name))


def _from_toml(path: Path) -> Settings:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        known = ", ".join(CONFIGURATIONS)
        raise UsageError(f"no configuration {str(path)!r}: name one of {known}, or a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, IsADirectoryError) as error:
        raise UsageError(f"{path}: not a TOML file: {error}") from None
    return dataclasses.replace(default(), **{key: _checked_value(path, key, value) for key, value in values.items()})


def _checked_value(path: Path, key: str, value: object) -> Any:
    """Return `value` as the type of the field `key`."""
    defaults = dataclasses.asdict(default())
    if key not in defaults:
        raise UsageError(f"{path}: unknown setting {key!r}; known: {', '.join(sorted(defaults))}")
    expected_type = type(defaults[key])
    if expected_type is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if expected_type is tuple and isinstance(value, list) and all(isinstance(x, str) for x in value):
        return tuple(value)
    if type(value) is not expected_type:
        raise UsageError(f"{path}: {key} must be {expected_type.__name__}, not {value!r}")
    return value


def landing_zone() -> Path:
    """Where raw dumps land (`RECSYS_LANDING`, else `var/landing`)."""
    return Path(os.environ.get("RECSYS_LANDING") or ROOT / "var" / "landing").absolute()


def lake_root() -> Path:
    """The lake's folder (`RECSYS_LAKE`, else `var/lake`): Delta tables, images, what is staged.

    Of a lake on S3 it is `var/lakes/<bucket>/<prefix>`, with everything but the tables: see `table_uri`.
    """
    if remote := lake_address():
        return (var_dir() / "lakes" / remote.removeprefix("s3://")).absolute()
    return Path(os.environ.get("RECSYS_LAKE") or ROOT / "var" / "lake").absolute()


def registered_name(lake: Path) -> str:
    """The lake's registered model in MLflow: its folder's name, then `-recommender`."""
    return f"{lake.name}-recommender"


def lake_address() -> str | None:
    """The address of a lake on S3 (`s3://bucket/prefix`), None where `RECSYS_LAKE` is a folder.

    Raises UsageError for an address with no bucket or no prefix, with `..`, a query, or another scheme.
    """
    address = (os.environ.get("RECSYS_LAKE") or "").rstrip("/")
    if "://" not in address:
        return None
    parts = urlsplit(address)
    prefix = parts.path.strip("/").split("/")
    is_plain = parts.scheme == "s3" and parts.netloc and not (parts.query or parts.fragment or "@" in parts.netloc)
    if not is_plain or any(name in ("", ".", "..") for name in prefix):
        raise UsageError(f"RECSYS_LAKE={address}: write a folder, or s3://bucket/prefix")
    return address


def table_uri(name: str, lake: Path) -> str:
    """Where a table of the lake stands: in its folder, or below the S3 address that `RECSYS_LAKE` names."""
    remote = lake_address()
    return f"{remote}/{name}" if remote and lake == lake_root() else str(lake / name)


def var_dir() -> Path:
    """Where everything else that a run writes goes (`RECSYS_VAR`, else `var`)."""
    return Path(os.environ.get("RECSYS_VAR") or ROOT / "var").absolute()


def encoders_dir() -> Path:
    """Where distilled encoders stand, for every lake of this machine (`RECSYS_ENCODERS`, else `var/encoders`)."""
    return Path(os.environ.get("RECSYS_ENCODERS") or ROOT / "var" / "encoders").absolute()


def tracking_uri() -> str:
    """MLflow's address (`MLFLOW_TRACKING_URI`, else a SQLite file under `var/mlflow`)."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{var_dir() / 'mlflow' / 'mlflow.db'}"


def parse_date(text: str) -> date:
    """Return the date written as YYYY-MM-DD; UsageError otherwise."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a date: write YYYY-MM-DD, as in 2014-03-01") from None
