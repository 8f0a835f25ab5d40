"""Every table of the lake: name, key, columns, units, partitioning.

Stages meet only here. The module needs nothing but the standard library, so that Airflow,
Spark, Great Expectations and torch code can all import it at no cost.

Types are spelled as in Spark SQL. Times are UTC. A `run_date` or `as_of` of D stands for the cut
that has the events before the end of D. Ranks start at 1.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column: `type` in Spark SQL's spelling, `note` the unit or meaning.

    `provenance` marks what differs between two equal nights (wall times, run ids, versions);
    a comparison of two lakes ignores such columns.
    """

    name: str
    type: str
    note: str = ""
    nullable: bool = True
    provenance: bool = False


@dataclass(frozen=True)
class Table:
    """One Delta table under `<lake>/<name>`; delta-rs alone writes its log (recsys_jobs/lake)."""

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    partitioned_by: tuple[str, ...] = ()
    published: bool = False  # offered to SQL users by `make sql`

    @property
    def ddl(self) -> str:
        """The schema as Spark SQL DDL."""
        return ", ".join(f"{c.name} {c.type}{'' if c.nullable else ' NOT NULL'}" for c in self.columns)

    @property
    def names(self) -> list[str]:
        """The column names, in order."""
        return [c.name for c in self.columns]


def _key(name: str, type_: str = "string", note: str = "") -> Column:
    return Column(name, type_, note, nullable=False)


INGEST_FILES = Table(
    "ingest_files",
    key=("path", "fingerprint"),
    columns=(
        _key(
            "path",
            note="relative to the landing zone, which may move; what does not print is written as \\x and its byte",
        ),
        _key("fingerprint", note="sha256 of the file's bytes"),
        _key("dataset"),
        _key("kind", note="reviews or items"),
        Column(
            "format", "string", "amazon2014, amazon2018, amazon2023, by the fields of its lines; null if refused unread"
        ),
        Column("landed_on", "date", "from the date= folder; null where unknown"),
        _key("bytes", "long", "size on disk"),
        _key("rows_read", "long", "lines that are not blank"),
        _key("rows_good", "long"),
        _key("rows_quarantined", "long"),
        _key(
            "rows_duplicate", "long", "sound lines that do not stand: another has the key, or its author is forgotten"
        ),
        _key("state", note="accepted, refused, superseded"),
        Column("message", "string", "why a file was refused, and where"),
        Column("ingested_at", "timestamp", provenance=True),
        Column(
            "modified_ns",
            "long",
            "the file's time of change; with bytes and inode, the sign that it is as it was read",
            provenance=True,
        ),
        Column("inode", "long", provenance=True),
    ),
    published=True,
)

QUARANTINE = Table(
    "quarantine",
    key=("path", "fingerprint", "position"),
    columns=(
        _key("path"),
        _key("fingerprint"),
        _key("dataset"),
        _key("position", "long", "line number, from 1, blank lines counted"),
        _key("reason", note="a code: invalid_json, wrong_type, missing_id, bad_rating, …"),
        Column("detail", "string", "the field and value that were wrong, or what breaks the line, where one can say"),
        Column("raw", "string", "the whole line as it stood; invalid UTF-8 replaced; null for a forgotten reviewer"),
    ),
    published=True,
)

REVIEWS = Table(
    "reviews",
    key=("dataset", "user_id", "item_id", "reviewed_at"),
    columns=(
        _key("dataset"),
        _key("user_id"),
        _key("item_id"),
        _key("rating", "double", "stars, 1 to 5"),
        Column("title", "string", "as landed, markup and all"),
        Column("text", "string", "as landed, markup and all"),
        _key("reviewed_at", "timestamp", "UTC"),
        Column("verified", "boolean"),
        _key("review_hash", note="sha256 of the row; among equal keys the smallest wins"),
        Column("text_hash", "string", "sha256 of title, newline, text; null where both are blank"),
        _key("path", note="the landed file it came from"),
    ),
    published=True,
)

ITEMS = Table(
    "items",
    key=("dataset", "item_id", "landed_on", "item_hash"),
    columns=(
        _key("dataset"),
        _key("item_id"),
        Column("landed_on", "date", "null where unknown, which counts as always known"),
        _key("item_hash", note="sha256 of the version's fields below"),
        Column("title", "string", "plain text: entities read, markup out; null where the page had script in its place"),
        Column("description", "string", "paragraphs joined by newlines, markup and all"),
        Column("brand", "string", "plain text"),
        Column("categories", "array<string>", "plain text"),
        Column("price", "double", "as listed, in the dump's currency; null where it is not one number without doubt"),
        Column("image_urls", "array<string>", "best first"),
        Column("also_bought", "array<string>"),
        Column("also_viewed", "array<string>"),
        Column("bought_together", "array<string>"),
        Column("text_hash", "string", "sha256 of title, newline, description; null where both are blank"),
        _key("path", note="the landed file it came from"),
    ),
    published=True,
)

URLS_PER_ITEM = 3  # of a version's image_urls, the best, that are looked at; another version may have more looked at

ITEM_IMAGES = Table(
    "item_images",
    key=("item_id", "source"),
    columns=(
        _key("item_id"),
        _key("source", note="an http(s) URL, or the file's path relative to the landing zone"),
        _key("state", note="ok, missing, unreachable, blocked, corrupt, too_large"),
        Column("content_hash", "string", "sha256 of the stored JPEG; null unless ok"),
        Column("width", "int", "pixels, as landed"),
        Column("height", "int", "pixels, as landed"),
        Column("detail", "string", "what went wrong, in words"),
        Column("checked_on", "date", "run date of the last attempt", provenance=True),
    ),
    published=True,
)

CUTS = Table(
    "cuts",
    key=("run_date",),
    columns=(
        _key("run_date", "date"),
        _key("exam_cut", "date", "H, the day before the holdout begins"),
        _key("holdout_users", "long", "users with a history at H and a new pair in (H, D]"),
        _key("holdout_events", "long", "new pairs of those users"),
        _key("events", "long", "pairs before the end of D"),
        _key("decidable", "boolean", "whether holdout_users reaches min_users"),
        Column(
            "inputs", "string", "sha256 of what the snapshots were made from: tables, settings, code", provenance=True
        ),
    ),
    partitioned_by=("run_date",),
    published=True,
)

INTERACTIONS = Table(
    "interactions",
    key=("as_of", "user_id", "item_id"),
    columns=(
        _key("as_of", "date"),
        _key("user_id"),
        _key("item_id"),
        _key("interacted_at", "timestamp", "the pair's first event"),
        _key("rating", "double", "of the first event"),
        _key("in_core", "boolean", "in the k-core of this cut"),
        _key("split", note="train or validation (the last part of the core); train outside the core"),
        _key("review_hash", note="of the first event; closes the total order of events"),
        Column("text_hash", "string", "of the first event's review"),
    ),
    partitioned_by=("as_of",),
    published=True,
)

ITEM_EDGES = Table(
    "item_edges",
    key=("as_of", "src", "dst", "kind"),
    columns=(
        _key("as_of", "date"),
        _key("src", note="src < dst: edges have no direction and stand once"),
        _key("dst"),
        _key("kind", note="also_bought, also_viewed, bought_together, co_review"),
        _key("weight", "double", "co-occurrences: users for co_review, listings (1 or 2) for the others"),
    ),
    partitioned_by=("as_of",),
    published=True,
)

CONTENTS = Table(
    "contents",
    key=("as_of", "item_id", "modality"),
    columns=(
        _key("as_of", "date"),
        _key("item_id", note="every item eligible at the cut"),
        _key("modality", note="text or image"),
        Column("content_hash", "string", "what stands for the item; null where there is nothing"),
        Column("reason", "string", "why there is none; no_description: the text is a title alone"),
        Column("dataset", "string", "of the item version in force at the cut; null without one"),
        Column("item_hash", "string", "of the item version in force at the cut; null without one"),
    ),
    partitioned_by=("as_of",),
    published=True,
)

EMBEDDINGS = Table(
    "embeddings",
    key=("encoder", "content_hash"),
    columns=(
        _key("encoder", note="weights' hash, preprocessing and precision in one name"),
        _key("content_hash"),
        _key("vector", "array<float>"),
    ),
    partitioned_by=("encoder",),
)

MODEL_METRICS = Table(
    "model_metrics",
    key=("run_date", "model_fingerprint", "protocol", "slice", "metric", "k"),
    columns=(
        _key("run_date", "date"),
        _key("model_name"),
        _key("recipe"),
        _key("model_fingerprint"),
        _key("protocol", note="global_time: the night's full ranking, history masked; bakeoff, bakeoff_confirmation"),
        _key(
            "slice",
            note="all, core, cold_users, few_events (at most two), cold_items, new_items (no event before the last"
            " 30 days), …; among_new_items: the users of new_items, ranked among new items alone",
        ),
        _key("metric", note="ndcg, recall, …; ndcg_difference: from the recipe in force, with Holm's interval"),
        _key("k", "int"),
        _key("value", "double"),
        Column("low", "double", "lower end of the 95 % bootstrap interval"),
        Column("high", "double", "upper end"),
        _key("users", "long", "users the value rests on"),
    ),
    partitioned_by=("run_date",),
    published=True,
)

PROMOTIONS = Table(
    "promotions",
    key=("decision_id",),
    columns=(
        _key("decision_id", note="hash of kind, date, recipes, fingerprints: the same verdict stands once"),
        _key("kind", note="gate, publish, challenge, promote, rollback, release, by_hand"),
        _key("effective_date", "date", "the night it is about, or the first one that it holds for"),
        _key("recipe"),
        _key("model_fingerprint", note="of the exam fit that was judged; else of the model that is to serve"),
        Column("floor", "string", "what it was measured against: the floor, for a challenge the recipe in force"),
        Column("floor_fingerprint", "string"),
        Column("difference", "double", "NDCG at K, recipe minus floor, on the same users"),
        Column("low", "double", "of a challenge among several: Holm's interval, wider than 95 %"),
        Column("high", "double"),
        Column("users", "long"),
        _key("decision", note="passed (it holds), failed, undecided"),
        _key("publishes", note="the recipe whose slate the night publishes"),
        _key("reason", note="one sentence"),
        Column("lineage", "string", "JSON: run ids, Delta versions, code version, seed", provenance=True),
        Column("decided_at", "timestamp", provenance=True),
        Column("model_version", "int", "registry version that is to serve; null: a floor, or no say", provenance=True),
        Column("rejected_version", "int", "registry version that a rollback took away", provenance=True),
        Column("moves_alias", "boolean", "whether champion goes to model_version (null: is removed)", provenance=True),
        Column("completed_at", "timestamp", "null while tables and alias do not follow yet", provenance=True),
    ),
    published=True,
)

_MODEL_COLUMNS = (
    _key("model_name", note="the registered model, or the floor's recipe"),
    Column("model_version", "int", "registry version; null for a floor, which is not registered", provenance=True),
    _key("model_fingerprint"),
)

RECOMMENDATIONS = Table(
    "recommendations",
    key=("run_date", "user_id", "rank"),
    columns=(
        _key("run_date", "date"),
        _key("user_id"),
        _key("rank", "int"),
        _key("item_id"),
        _key("score", "double", "the model's; comparable within a user only"),
        *_MODEL_COLUMNS,
    ),
    partitioned_by=("run_date",),
    published=True,
)

PUBLICATIONS = Table(
    "publications",
    key=("run_date",),
    columns=(
        _key("run_date", "date"),
        _key("recipe"),
        *_MODEL_COLUMNS,
        _key("seed", "long"),
        _key("epochs", "int", "of the serving fit, of all parts of a blend; 0 for a closed form"),
        _key("users", "long", "people of the cut"),
        _key("settings", note="JSON: the night's whole configuration"),
        Column("run_id", "string", "the serving fit's run in MLflow", provenance=True),
        Column("delta_versions", "string", "JSON: the version of each table that was read", provenance=True),
        Column("code_version", "string", provenance=True),
        Column("published_at", "timestamp", provenance=True),
    ),
    partitioned_by=("run_date",),
    published=True,
)

SIMILAR_ITEMS = Table(
    "similar_items",
    key=("run_date", "item_id", "rank"),
    columns=(
        _key("run_date", "date"),
        _key("item_id"),
        _key("rank", "int"),
        _key("similar_item_id"),
        _key("score", "double", "cosine of the model's item vectors, or the floor's item weight"),
        *_MODEL_COLUMNS,
    ),
    partitioned_by=("run_date",),
    published=True,
)

POPULAR_ITEMS = Table(
    "popular_items",
    key=("run_date", "rank"),
    columns=(
        _key("run_date", "date"),
        _key("rank", "int"),
        _key("item_id"),
        _key("users", "long", "people with an event before the cut"),
    ),
    partitioned_by=("run_date",),
    published=True,
)

# the query of the view `recommendations_latest`; `days_old`, days since the night's date, is the one word in which the
# SQL of DuckDB and of Spark differ
_LATEST = (
    "SELECT *, CAST({days} AS INT) AS days_old FROM recommendations "
    "WHERE run_date = (SELECT max(run_date) FROM recommendations)"
)
RECOMMENDATIONS_LATEST = _LATEST.format(days="current_date - run_date")
RECOMMENDATIONS_LATEST_SPARK = _LATEST.format(days="datediff(current_date(), run_date)")

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        INGEST_FILES,
        QUARANTINE,
        REVIEWS,
        ITEMS,
        ITEM_IMAGES,
        CUTS,
        INTERACTIONS,
        ITEM_EDGES,
        CONTENTS,
        EMBEDDINGS,
        MODEL_METRICS,
        PROMOTIONS,
        RECOMMENDATIONS,
        PUBLICATIONS,
        SIMILAR_ITEMS,
        POPULAR_ITEMS,
    )
}
