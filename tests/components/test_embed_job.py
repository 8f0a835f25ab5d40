"""The step over small lakes: which contents it takes, that it encodes each once, and what it says when it cannot."""

import hashlib
import io
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from PIL import Image
from tqdm import tqdm

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.contracts.tables import CONTENTS, CUTS, EMBEDDINGS, INTERACTIONS, ITEMS, REVIEWS, Table
from recsys_jobs.embed import job, needed, store
from recsys_jobs.embed.needed import needed_reviews
from recsys_jobs.lake import delta

H, D, LATER = date(2014, 2, 1), date(2014, 3, 1), date(2014, 4, 1)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty lake; a person's last review and an item's last one stand for them."""
    monkeypatch.setenv("RECSYS_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("RECSYS_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("RECSYS_DEVICE", "cpu")
    configuration = tmp_path / "small.toml"
    configuration.write_text("reviews_per_user = 1\nreviews_per_item = 1\n")
    monkeypatch.setenv("RECSYS_CONFIG", str(configuration))
    return tmp_path / "lake"


def put(table: Table, rows: list[dict[str, Any]]) -> None:
    """Add rows to a table that Spark writes; fields left out are null, or empty where they may not be."""
    schema = delta.arrow_schema(table)
    filled = [{field.name: row.get(field.name, None if field.nullable else "") for field in schema} for row in rows]
    write_deltalake(
        delta.table_path(table),
        pa.Table.from_pylist(filled, schema=schema),
        mode="append",
        partition_by=list(table.partitioned_by) or None,
    )


def cut(run_date: date, exam_cut: date) -> None:
    counts = {"holdout_users": 1, "holdout_events": 1, "events": 1, "decidable": True}
    put(CUTS, [{"run_date": run_date, "exam_cut": exam_cut, **counts}])


def item(item_id: str, title: str, description: str | None = None) -> str:
    """An item version; returns its text hash."""
    content = sha256(f"{title}\n{description or ''}")
    put(ITEMS, [{"item_id": item_id, "title": title, "description": description, "text_hash": content}])
    return content


def content(as_of: date, item_id: str, modality: str, content_hash: str | None, reason: str | None = None) -> None:
    row = {"as_of": as_of, "item_id": item_id, "modality": modality, "content_hash": content_hash, "reason": reason}
    put(CONTENTS, [row])


def event(user: str, item_id: str, day: int, text: str | None, as_of: tuple[date, ...] = (D,)) -> dict[str, Any]:
    """A review on a day of January 2014, and the pair it makes at the cuts `as_of`; returns the pair."""
    at = datetime(2014, 1, day, tzinfo=UTC)
    content_hash = None if text is None else sha256(f"\n{text}")
    both = {
        "user_id": user,
        "item_id": item_id,
        "rating": 5.0,
        "review_hash": f"{user}{item_id}",
        "text_hash": content_hash,
    }
    put(REVIEWS, [{**both, "text": text, "reviewed_at": at}])
    pair = {**both, "interacted_at": at, "in_core": True, "split": "train"}
    put(INTERACTIONS, [{**pair, "as_of": day_of_cut} for day_of_cut in as_of])
    return pair


def stored_jpeg(colour: str) -> str:
    file = io.BytesIO()
    Image.new("RGB", (20, 30), colour).save(file, "JPEG")
    content_hash = hashlib.sha256(file.getvalue()).hexdigest()
    path = image_path(content_hash)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file.getvalue())
    return content_hash


def image_path(content_hash: str) -> Path:
    return delta.lake_root() / "images" / content_hash[:2] / f"{content_hash}.jpg"


def embedded() -> list[tuple[str, str]]:
    rows = delta.read(EMBEDDINGS, columns=["encoder", "content_hash"])
    return list(zip(rows["encoder"].to_pylist(), rows["content_hash"].to_pylist(), strict=True))


def found(counts: job.Counts) -> tuple[int, int, int]:
    return counts.needed, counts.known, counts.encoded


# --- which contents a night needs ---


def texts_needed(run_date: date = D, encoder: str = "e") -> set[str]:
    settings = Settings(reviews_per_user=1, reviews_per_item=1)
    with needed.open_tables() as tables:
        needed.count_needed(tables, run_date, "text", settings)
        needed.count_missing(tables, encoder)
        return {text for _, texts in needed.missing_texts(tables, chunk=2) for text in texts}


def test_both_cuts_items_are_needed_and_no_other_date_s() -> None:
    cut(D, H)
    old, new = item("mug", "Mug"), item("mug", "Blue mug", "Holds 300 ml")
    content(H, "mug", "text", old, "no_description")
    content(D, "mug", "text", new)
    content(LATER, "lamp", "text", item("lamp", "Lamp"), "no_description")
    content(D, "ghost", "text", None, "no_item")
    assert texts_needed() == {"Mug\n", "Blue mug\nHolds 300 ml"}


def test_of_a_user_the_last_reviews_and_one_more_are_needed() -> None:
    cut(D, H)
    for name in ("a", "b", "c", "d"):
        content(D, name, "text", item(name, name, "described"))
    event("ann", "a", 1, "first")
    event("ann", "b", 2, "second")
    event("ann", "c", 2, "third: same day, later by item id")
    event("ann", "d", 3, None)  # the last event of all; it has no text, and takes its place all the same
    assert {text for text in texts_needed() if text.startswith("\n")} == {"\nthird: same day, later by item id"}


def test_of_an_item_the_last_reviews_are_needed_only_where_its_text_is_poor() -> None:
    cut(D, H)
    content(D, "bare", "text", None, "no_text")
    content(D, "rich", "text", item("rich", "Rich", "described"))
    for place, name in enumerate(("x", "y", "z"), start=1):
        content(D, name, "text", item(name, name, "described"))
        for user in ("ann", "bob"):
            event(user, name, 10 + place, f"{user} on {name}")
    for user in ("ann", "bob"):
        event(user, "rich", 1, f"{user} on rich")
    for day, user in enumerate(("ann", "bob", "cid"), start=2):
        event(user, "bare", day, f"{user} on bare")
    reviews = {text for text in texts_needed() if text.startswith("\n")}
    # of each person the last two; of `bare` the last two, which are the persons' oldest; cid has one event
    assert reviews == {"\nann on y", "\nann on z", "\nbob on y", "\nbob on z", "\nbob on bare", "\ncid on bare"}


def test_the_exam_cut_has_its_own_last_reviews() -> None:
    cut(D, H)
    for name in ("a", "b", "c", "d"):
        for as_of in (H, D):
            content(as_of, name, "text", item(name, name, "described"))
    event("ann", "a", 1, "one", as_of=(H, D))
    event("ann", "b", 2, "two", as_of=(H, D))
    event("ann", "c", 3, "three")
    event("ann", "d", 4, "four")
    assert {text for text in texts_needed() if text.startswith("\n")} == {"\none", "\ntwo", "\nthree", "\nfour"}


def test_the_loader_s_mask_is_the_night_s_rule() -> None:
    cut(D, H)
    content(D, "bare", "text", None, "no_item")
    content(D, "a", "text", item("a", "a", "described"))
    content(D, "b", "text", item("b", "b", "described"))
    event("ann", "bare", 1, "too old for ann and for bare")
    event("bob", "bare", 2, "of bob and bare")
    event("cid", "bare", 3, None)
    event("ann", "a", 4, "of ann")
    event("ann", "b", 5, "of ann too")
    events = delta.read_date(INTERACTIONS, D).sort_by([("interacted_at", "descending")])
    mask = needed_reviews(events, delta.read_date(CONTENTS, D), Settings(reviews_per_user=1, reviews_per_item=1))
    assert mask.to_pylist() == [True, True, False, True, False]
    by_mask = {hash_ for hash_, wanted in zip(events["text_hash"].to_pylist(), mask.to_pylist(), strict=True) if wanted}
    assert by_mask == {sha256(text) for text in texts_needed() if text.startswith("\n")}


def test_a_night_without_snapshots_says_what_to_run() -> None:
    with pytest.raises(JobError, match="no snapshots of 2014-03-01: run the snapshot step"):
        job.run(D, "text")


def test_a_text_that_is_nowhere_is_named() -> None:
    cut(D, H)
    content(D, "mug", "text", sha256("never landed"))
    with pytest.raises(JobError, match=f"1 texts .* neither items nor reviews .* {sha256('never landed')}"):
        job.run(D, "text")


# --- encoding ---


def test_what_was_encoded_once_is_never_encoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    cut(D, H)
    content(D, "mug", "text", item("mug", "Mug", "Blue"))
    content(D, "copy", "text", item("copy", "Mug", "Blue"))
    event("ann", "mug", 1, "Lovely")
    assert found(job.run(D, "text")) == (2, 0, 2)
    cut(LATER, D)
    content(LATER, "lamp", "text", item("lamp", "Lamp", "Warm"))
    assert found(job.run(LATER, "text")) == (3, 2, 1)
    first = embedded()
    monkeypatch.setattr(job, "load_encoder", lambda *_: pytest.fail("a night with nothing new loads no model"))
    assert found(job.run(D, "text")) == (2, 2, 0)
    assert found(job.run(LATER, "text")) == (3, 3, 0)
    assert embedded() == first
    assert len(set(first)) == 3


def test_a_killed_job_goes_on_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    cut(D, H)
    for name in "abcdefgh":
        content(D, name, "text", item(name, name, "described"))
    monkeypatch.setitem(job.CHUNK, "text", 3)
    monkeypatch.setattr(store, "COMMIT_BYTES", 1)  # a commit a chunk
    whole, calls = store.VectorWriter.commit, []

    def dies_at_the_third(writer: store.VectorWriter) -> int:
        calls.append(writer)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return whole(writer)

    monkeypatch.setattr(store.VectorWriter, "commit", dies_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        job.run(D, "text")
    assert found(job.run(D, "text")) == (8, 6, 2)
    assert len(embedded()) == len(set(embedded())) == 8


def test_images_are_encoded_from_the_store() -> None:
    cut(D, H)
    red, blue = stored_jpeg("red"), stored_jpeg("blue")
    for item_id, content_hash in (("r", red), ("s", red), ("b", blue)):
        content(D, item_id, "image", content_hash)
    content(D, "n", "image", None, "missing")
    assert found(job.run(D, "image")) == (2, 0, 2)
    assert found(job.run(D, "image")) == (2, 2, 0)
    encoder = embedded()[0][0]
    assert store.load_vectors(encoder, [blue, red, blue]).shape == (3, 1280)


@pytest.mark.parametrize(("damage", "message"), [("gone", "is gone"), ("altered", "was altered")])
def test_a_damaged_image_store_names_item_and_file(damage: str, message: str) -> None:
    cut(D, H)
    content_hash = stored_jpeg("red")
    content(D, "teapot", "image", content_hash)
    if damage == "gone":
        image_path(content_hash).unlink()
    else:
        image_path(content_hash).write_bytes(b"something else")
    with pytest.raises(JobError, match=f"image of item teapot: .*{content_hash}.jpg {message}"):
        job.run(D, "image")


def test_the_step_ends_with_its_counts_and_a_red_one_with_one_line(places: Path) -> None:
    step = [sys.executable, "-m", "recsys_jobs.embed", "--modality", "image", "--run-date"]
    cut(D, H)
    content(D, "n", "image", None, "missing")
    done = subprocess.run([*step, "2014-03-01"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "embed image: needed=0 known=0 encoded=0 seconds=" in done.stderr
    failed = subprocess.run([*step, "2014-03-02"], capture_output=True, text=True, timeout=60)
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: ")
    assert failed.stderr.count("\n") == 1


# --- the store ---


def vectors(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


def test_vectors_come_in_the_order_asked_for_and_of_one_encoder() -> None:
    store.append_new("e", ["a", "b"], vectors([1, 2], [3, 4]))
    store.append_new("e", ["c"], vectors([5, 6]))
    store.append_new("other", ["a"], vectors([9, 9, 9]))
    assert store.load_vectors("e", ["c", "a", "c"]).tolist() == [[5, 6], [1, 2], [5, 6]]
    assert store.load_vectors("e", ["b"]).dtype == np.float32
    assert store.load_vectors("other", ["a"]).tolist() == [[9, 9, 9]]
    assert store.load_vectors("e", []).shape == (0, 0)


def test_a_hash_without_a_vector_is_named() -> None:
    with pytest.raises(JobError, match="lacks 1 of 1 vectors of e, a among them"):
        store.load_vectors("e", ["a"])
    store.append_new("e", ["a"], vectors([1, 2]))
    with pytest.raises(JobError, match="lacks 2 of 3 vectors of e, y among them"):
        store.load_vectors("e", ["a", "y", "z"])


def test_a_hash_that_another_run_added_meanwhile_is_left_out() -> None:
    assert store.append_new("e", ["a", "b"], vectors([1, 2], [3, 4])) == 2
    assert store.append_new("e", ["b", "c"], vectors([3, 4], [5, 6])) == 1
    assert store.append_new("e", ["a", "c"], vectors([1, 2], [5, 6])) == 0
    assert embedded() == [("e", "a"), ("e", "b"), ("e", "c")]
    assert delta.version(EMBEDDINGS) == 1  # nothing to add makes no commit


def data_files(lake: Path) -> set[Path]:
    return set(lake.glob("embeddings/**/*.parquet"))


def test_chunks_do_not_read_the_files_that_were_there_before(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is gone cannot be read: the old ones and the writer's own go before each commit."""
    monkeypatch.setattr(store, "COMMIT_BYTES", 1)
    store.append_new("e", ["old"], vectors([1, 2]))
    writer = store.VectorWriter("e", delta.files(EMBEDDINGS))
    for chunk in range(4):
        for file in data_files(places):
            file.unlink()
        writer.add([f"{chunk}a", f"{chunk}b"], vectors([1, 2], [3, 4]))
        assert writer.commit() == 2
    assert delta.version(EMBEDDINGS) == 4


def test_what_another_writer_committed_since_the_look_up_is_left_out_and_read_once(places: Path) -> None:
    store.append_new("e", ["old"], vectors([0, 0]))
    old = data_files(places)
    writer = store.VectorWriter("e", delta.files(EMBEDDINGS))
    store.append_new("other", ["a"], vectors([9, 9]))
    store.append_new("e", ["a", "b"], vectors([1, 2], [3, 4]))
    for file in old:
        file.rename(file.with_suffix(".hidden"))
    writer.add(["a", "c"], vectors([1, 2], [5, 6]))
    assert writer.commit() == 1
    for file in data_files(places):
        file.rename(file.with_suffix(".hidden"))
    writer.add(["d"], vectors([7, 8]))
    assert writer.commit() == 1
    for file in places.glob("embeddings/**/*.hidden"):
        file.rename(file.with_suffix(".parquet"))
    assert embedded() == [("e", name) for name in ("a", "b", "c", "d", "old")] + [("other", "a")]


def test_compaction_between_look_up_and_commit_hides_no_row() -> None:
    store.append_new("e", ["a"], vectors([1, 2]))
    writer = store.VectorWriter("e", delta.files(EMBEDDINGS))
    store.append_new("e", ["b"], vectors([3, 4]))
    delta.open_table(EMBEDDINGS).optimize.compact()
    writer.add(["b", "c"], vectors([3, 4], [5, 6]))
    assert writer.commit() == 1
    assert embedded() == [("e", "a"), ("e", "b"), ("e", "c")]


def test_what_another_added_before_an_earlier_commit_is_left_out_of_a_later_one() -> None:
    writer = store.VectorWriter("e", delta.files(EMBEDDINGS))
    store.append_new("e", ["c"], vectors([5, 6]))
    for content_hash in ("a", "b", "c"):
        writer.add([content_hash], vectors([1, 2]))
        writer.commit()
    assert embedded() == [("e", "a"), ("e", "b"), ("e", "c")]


def test_a_commit_is_due_by_size_or_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(store.time, "monotonic", lambda: now)
    monkeypatch.setattr(store, "COMMIT_BYTES", 1000)
    writer = store.VectorWriter("e", delta.files(EMBEDDINGS))
    writer.add(["a"], np.ones((1, 100), np.float32))
    assert not writer.is_due()
    now += store.COMMIT_SECONDS
    assert writer.is_due()
    assert writer.commit() == 1
    writer.add(["b", "c"], np.ones((2, 100), np.float32))
    assert not writer.is_due()
    writer.add(["d"], np.ones((1, 100), np.float32))
    assert writer.is_due()


def test_fast_chunks_share_a_commit() -> None:
    chunks = (([f"{number}"], ["text"]) for number in range(20))
    writer = store.VectorWriter("e", delta.files(EMBEDDINGS))
    job.encode_all(chunks, lambda contents: np.ones((len(contents), 4)), writer, tqdm(disable=True))
    assert len(embedded()) == 20
    assert delta.version(EMBEDDINGS) == 0


def test_runs_at_once_leave_one_row_a_content() -> None:
    program = """
import numpy as np
from recsys_jobs.contracts.tables import EMBEDDINGS
from recsys_jobs.embed import store
from recsys_jobs.lake import delta
writer = store.VectorWriter("e", delta.files(EMBEDDINGS))
hashes = [f"{i:03}" for i in range(40)]
known = store.known_hashes("e", hashes)
missing = [one for one in hashes if one not in known]
for start in range(0, len(missing), 10):
    chunk = missing[start : start + 10]
    writer.add(chunk, np.ones((len(chunk), 4), np.float32))
    writer.commit()
"""
    running = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(3)]
    assert [process.wait(timeout=60) for process in running] == [0, 0, 0]
    assert embedded() == [("e", f"{i:03}") for i in range(40)]
