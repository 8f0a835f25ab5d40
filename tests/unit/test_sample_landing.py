"""The sample as it lies in a landing zone: format, oddities, repeatability, bounded memory."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.sample.__main__ import main
from recsys_jobs.sample.dates import DEFAULT_USERS, FIRST_FOLDER, FIRST_NIGHT, LAST_DAY, SECOND_NIGHT
from recsys_jobs.sample.landing import Summary, damaged, write

REVIEW_FIELDS = {
    *("rating", "title", "text", "images", "asin", "parent_asin"),
    *("user_id", "timestamp", "helpful_vote", "verified_purchase"),
}
ITEM_FIELDS = {
    *("main_category", "title", "average_rating", "rating_number", "description", "price"),
    *("images", "store", "categories", "parent_asin", "bought_together"),
}

Row = dict[str, Any]


def lines(root: Path, kind: str) -> dict[date, list[str]]:
    """Every line of a kind, by the folder's date."""
    found = {}
    for path in sorted(root.glob(f"sample_shop/date=*/{kind}/*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            found[date.fromisoformat(path.parts[-3].removeprefix("date="))] = file.read().splitlines()
    return found


def good(text: str) -> Row | None:
    """The record of a line, or None where the line is broken."""
    try:
        row = json.loads(text)
    except json.JSONDecodeError:
        return None
    return row if "parent_asin" in row and row.get("rating", 5) <= 5 else None


def rows(root: Path, kind: str) -> list[tuple[date, Row]]:
    """Every good record, with the date of its folder."""
    by_day = lines(root, kind)
    return [(day, row) for day, texts in by_day.items() for text in texts if (row := good(text))]


def moment(review: Row) -> datetime:
    return datetime.fromtimestamp(review["timestamp"] / 1000, UTC)


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary]:
    """The sample of default size, without photos, up to the world's end."""
    root = tmp_path_factory.mktemp("shop")
    return root, write(root, DEFAULT_USERS, seed=0, until=LAST_DAY, with_photos=False)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary]:
    """A small one with photos, up to the first night."""
    root = tmp_path_factory.mktemp("small")
    return root, write(root, 40, seed=3, until=FIRST_NIGHT)


def test_lines_have_the_fields_of_2023(shop: tuple[Path, Summary]) -> None:
    for kind, fields in [("reviews", REVIEW_FIELDS), ("items", ITEM_FIELDS)]:
        found = rows(shop[0], kind)
        assert len(found) > 500
        assert all(set(row) == fields for _, row in found)


def test_values_have_the_types_of_2023(shop: tuple[Path, Summary]) -> None:
    for _, row in rows(shop[0], "reviews"):
        assert type(row["rating"]) is float and type(row["timestamp"]) is int
        assert type(row["verified_purchase"]) is bool and type(row["helpful_vote"]) is int
    for _, row in rows(shop[0], "items"):
        assert isinstance(row["description"], list) and isinstance(row["categories"], list)
        assert row["bought_together"] is None
        assert all(image["large"].startswith("https://") for image in row["images"])


def test_size_and_skew(shop: tuple[Path, Summary]) -> None:
    pairs = {(row["user_id"], row["parent_asin"]) for _, row in rows(shop[0], "reviews")}
    reviews_of_item = sorted(Counter(item for _, item in pairs).values(), reverse=True)
    assert 10_000 < len(pairs) < 14_000
    assert len({user for user, _ in pairs}) == 1500
    top_tenth = sum(reviews_of_item[:60]) / len(pairs)
    assert 0.2 < top_tenth < 0.5


def test_events_land_in_the_folder_of_their_day(shop: tuple[Path, Summary]) -> None:
    for folder, row in rows(shop[0], "reviews"):
        assert max(moment(row).date(), FIRST_FOLDER) == folder


def test_item_versions_land_before_their_first_review(shop: tuple[Path, Summary]) -> None:
    landed: dict[str, date] = {}
    for folder, row in rows(shop[0], "items"):
        landed.setdefault(row["parent_asin"], folder)
    for folder, row in rows(shop[0], "reviews"):
        assert landed[row["parent_asin"]] <= folder


@pytest.mark.parametrize("night", [FIRST_NIGHT, SECOND_NIGHT])
def test_a_night_has_its_holdout_users(shop: tuple[Path, Summary], night: date) -> None:
    """200 people have a history and a new pair within ten days, on at most a fifth of the pairs."""
    first: dict[tuple[str, str], date] = {}
    for _, row in rows(shop[0], "reviews"):
        pair, day = (row["user_id"], row["parent_asin"]), moment(row).date()
        first[pair] = min(day, first.get(pair, day))
    before = {pair: day for pair, day in first.items() if day <= night}
    cut = night - timedelta(days=10)
    history = {user for (user, _), day in before.items() if day <= cut}
    new = [user for (user, _), day in before.items() if day > cut]
    assert len(history & set(new)) >= 200
    assert len(new) <= 0.2 * len(before)


def test_the_second_night_brings_something_new(shop: tuple[Path, Summary]) -> None:
    reviews, items = lines(shop[0], "reviews"), lines(shop[0], "items")
    assert 50 < len(reviews[SECOND_NIGHT]) < 300
    assert 1 <= len(items[SECOND_NIGHT]) < 30


def test_oddities_lie_there_in_the_numbers_that_the_summary_tells(shop: tuple[Path, Summary]) -> None:
    root, summary = shop
    planted = summary.planted
    reviews = [row for _, row in rows(root, "reviews")]
    keys = Counter((row["user_id"], row["parent_asin"], row["timestamp"]) for row in reviews)
    wholes = Counter(json.dumps(row, sort_keys=True) for row in reviews)
    duplicates = sum(wholes.values()) - len(wholes)
    assert duplicates == planted["exact duplicates"] > 50
    assert sum(keys.values()) - len(keys) - duplicates == planted["retold reviews"] > 20
    pairs = {(user, item) for user, item, _ in keys}
    assert len(keys) - len(pairs) == planted["repeated pairs"] > 50
    assert sum("<br />" in row["text"] and "&amp;" in row["text"] for row in reviews) > 100

    texts = [text for kind in ("reviews", "items") for day in lines(root, kind).values() for text in day]
    assert sum(good(text) is None for text in texts) == planted["broken lines"] > 50

    items = {row["parent_asin"]: row for _, row in reversed(rows(root, "items"))}
    assert sum(not row["description"] for row in items.values()) == planted["items without description"] > 20
    assert sum(not row["images"] for row in items.values()) == planted["items without photo"] > 10
    assert len(rows(root, "items")) - len(items) == planted["edited titles"] > 10
    assert any("<p>" in "".join(row["description"]) for row in items.values())
    never = set(items) - {row["parent_asin"] for row in reviews}
    assert len(never) >= planted["items never picked"] == 12


def test_no_file_is_broken_by_more_than_two_per_cent(shop: tuple[Path, Summary], small: tuple[Path, Summary]) -> None:
    reasons = Counter[str]()
    for root, _ in (shop, small):
        for kind in ("reviews", "items"):
            for texts in lines(root, kind).values():
                broken = [text for text in texts if good(text) is None]
                assert len(broken) <= 0.02 * len(texts)
                reasons.update("json" if not text.endswith("}") else "record" for text in broken)
    assert min(reasons["json"], reasons["record"]) > 10


def test_damage_comes_in_three_kinds() -> None:
    row = {"user_id": "A1", "parent_asin": "B1", "asin": "B1", "rating": 4.0}
    assert damaged(row, 0) == '{"user_id": "A1", "parent_asin": '
    assert damaged(row, 1) == '{"user_id": "A1", "rating": 4.0}'
    assert damaged(row, 2) == '{"user_id": "A1", "parent_asin": "B1", "asin": "B1", "rating": 9.0}'


def test_reviews_have_eight_to_twenty_five_words(shop: tuple[Path, Summary]) -> None:
    plain = [row["text"] for _, row in rows(shop[0], "reviews") if "<br" not in row["text"]]
    lengths = [len(text.removeprefix("Update: ").split()) for text in plain]
    assert min(lengths) >= 8
    assert max(lengths) <= 25


def test_photos_are_there_for_what_was_listed_and_has_one(small: tuple[Path, Summary]) -> None:
    root, summary = small
    pictured = {row["parent_asin"] for _, row in rows(root, "items") if row["images"]}
    photos = {path.stem: path for path in root.glob("sample_shop/images/*")}
    assert set(photos) == pictured
    assert len(photos) == summary.photos > 40
    for path in photos.values():
        with Image.open(path) as photo:
            photo.load()
            assert photo.format == "JPEG"


def test_the_same_seed_and_size_write_the_same_bytes(small: tuple[Path, Summary], tmp_path: Path) -> None:
    write(tmp_path / "again", 40, seed=3, until=FIRST_NIGHT)
    write(tmp_path / "other", 40, seed=4, until=FIRST_NIGHT)
    assert digests(tmp_path / "again") == digests(small[0])
    assert digests(tmp_path / "other") != digests(small[0])


def test_a_later_date_adds_folders_and_leaves_the_others(tmp_path: Path) -> None:
    write(tmp_path / "steps", 40, seed=3, until=FIRST_NIGHT)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    later = write(tmp_path / "steps", 40, seed=3, until=LAST_DAY)
    write(tmp_path / "once", 40, seed=3, until=LAST_DAY)
    assert digests(tmp_path / "steps") == digests(tmp_path / "once")
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert later.reviews > 0
    again = write(tmp_path / "steps", 40, seed=3, until=LAST_DAY)
    assert (again.reviews, again.items, again.photos) == (0, 0, 0)


def test_one_person_alone_leaves_no_empty_files(tmp_path: Path) -> None:
    write(tmp_path, 1, seed=0, until=LAST_DAY, with_photos=False)
    assert sum(len(texts) for texts in lines(tmp_path, "reviews").values()) >= 1
    assert all(texts for texts in lines(tmp_path, "reviews").values())
    assert all(any(folder.iterdir()) for folder in tmp_path.rglob("*") if folder.is_dir())
    assert not list(tmp_path.rglob(".*"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (["--users", "0"], "--users 0: a sample needs at least one person"),
        (["--seed", "-1"], "--seed -1: write a number from 0"),
        (["--until", "2024-04-09"], "--until 2024-04-09: the sample's folders go from 2024-04-10 to 2024-05-01"),
        (["--until", "2024-05-02"], "--until 2024-05-02: the sample's folders go from 2024-04-10 to 2024-05-01"),
        (["--until", "soon"], "'soon' is not a date: write YYYY-MM-DD, as in 2014-03-01"),
    ],
)
def test_a_wrong_call_is_told_in_one_line(tmp_path: Path, call: list[str], message: str) -> None:
    with pytest.raises(UsageError) as error:
        main(["--out", str(tmp_path / "zone"), *call])
    assert str(error.value) == message
    assert not (tmp_path / "zone").exists()


def test_out_must_be_a_folder(tmp_path: Path) -> None:
    file = tmp_path / "zone"
    file.write_text("mine")
    with pytest.raises(UsageError, match="a file; name a folder"):
        write(file, 5, seed=0, until=FIRST_FOLDER)
    assert file.read_text() == "mine"


def test_two_samples_do_not_mix(tmp_path: Path) -> None:
    write(tmp_path, 5, seed=0, until=FIRST_FOLDER, with_photos=False)
    before = digests(tmp_path)
    with pytest.raises(UsageError, match="another sample lands here, not seed1_users5.jsonl.gz"):
        write(tmp_path, 5, seed=1, until=FIRST_FOLDER, with_photos=False)
    assert digests(tmp_path) == before


PEAK = """
import sys
from datetime import date
from pathlib import Path
from recsys_jobs.sample.landing import write
write(Path(sys.argv[1]), int(sys.argv[2]), 0, date(2024, 5, 1), with_photos=False)
assert "torch" not in sys.modules and "pyarrow" not in sys.modules
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux' /proc")
def test_memory_does_not_grow_with_the_people(tmp_path: Path) -> None:
    """Ten times the people, 3.2 times the items: only a block's arrays of people × items may grow."""
    peaks = {}
    for users in (2_000, 20_000):
        call = [sys.executable, "-c", PEAK, str(tmp_path / str(users)), str(users)]
        peaks[users] = int(subprocess.run(call, check=True, capture_output=True, text=True).stdout) / 1024
    block_of_weights = 256 * (2191 - 693) * 8 / 2**20  # MB
    assert peaks[20_000] - peaks[2_000] < 10 + 6 * block_of_weights
    assert peaks[20_000] < 200
