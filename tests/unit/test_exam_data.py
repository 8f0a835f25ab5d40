"""Every layout from files typed here: ids, order, texts, and that what is broken is named by file and line."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from recsys_jobs.contracts.errors import JobError, UsageError
from recsys_jobs.contracts.settings import Settings
from recsys_jobs.contracts.tables import CONTENTS, CUTS, INTERACTIONS, ITEMS, REVIEWS, Table
from recsys_jobs.data.readers.detect_layout import read_data_set
from recsys_jobs.data.readers.raw import RawData, hash_to_int31, labels, numbers, terms
from recsys_jobs.data.split_protocols import TEST, TRAIN, VALIDATION
from recsys_jobs.lake import delta

SPLIT = "user\titem\tsplit\n7\t10\ttrain\n7\t2\tval\n3\t10\ttest\n3\t10\ttrain\n"
SPLIT_ITEMS = """\
{"item": 2, "asin": "A2", "keywords": "park tool remover", "attributes": ["Park Tool", "Sports", "Cycling"]}
{"item": 10, "asin": "A10", "keywords": "bell", "attributes": ["Sports", "Cycling"]}
{"item": 11, "asin": "A11"}
"""
SEQUENCES = "1 5 6\n2 6 7 5\n"
SEQUENCE_ITEMS = """\
{"item": 5, "title": "Red Polish", "brand": "OPI", "categories": "'Beauty', \\"Men's\\"", "price": "12.5"}
{"item": 6, "title": "Brush", "brand": "Unknown", "categories": "'Beauty'", "price": "None"}
{"item": 7}
"""
RATINGS = "1::20::5::978300760\n1::3::4::978300700\n2::20::1::978300700\n1::20::2::978300999\n"
MOVIES = "3::Misérables, Les (1995)::Drama|Musical\n20::Toy Story (1995)::Comedy\n9::Alone (1990)::Drama\n"


def put(folder: Path, **files: str) -> Path:
    """Write files; `__` in a name stands for a dot, and what ends in .gz is packed."""
    for name, text in files.items():
        path = folder / name.replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode("latin-1"))
    return folder


def split_folder(folder: Path, interactions: str = SPLIT, items: str = SPLIT_ITEMS) -> Path:
    return put(folder, interactions__tsv__gz=interactions, items__jsonl__gz=items)


def sequence_folder(folder: Path, sequences: str = SEQUENCES, items: str = SEQUENCE_ITEMS) -> Path:
    return put(folder, sequences__txt__gz=sequences, items__jsonl__gz=items)


def movie_folder(folder: Path, ratings: str = RATINGS, movies: str = MOVIES) -> Path:
    return put(folder, ratings__dat=ratings, movies__dat=movies)


def loaded(folder: Path, run_date: date | None = None) -> RawData:
    return read_data_set(folder, run_date, Settings())


def pairs(raw: RawData) -> list[tuple[str, str]]:
    return [(raw.users[u], raw.items[i]) for u, i in zip(raw.events.user_E, raw.events.item_E, strict=True)]


def texts(raw: RawData) -> dict[str, str]:
    return {name: item.text for name, item in zip(raw.items, raw.metadata_I, strict=True)}


def test_a_published_split(tmp_path: Path) -> None:
    """Ids sort as text; a pair that stands twice keeps its first line; an item without events is there."""
    raw = loaded(split_folder(tmp_path))
    assert (raw.layout, raw.users, raw.items) == ("split_file", ["3", "7"], ["10", "11", "2"])
    assert pairs(raw) == [("7", "10"), ("7", "2"), ("3", "10")]
    assert raw.events.label_E.tolist() == [TRAIN, VALIDATION, TEST]
    assert not raw.events.ordered
    assert texts(raw) == {"2": "park tool remover. Cycling, Sports, Park Tool", "10": "bell. Cycling, Sports", "11": ""}
    assert labels(raw).tolist() == [
        [True, True],
        [False, False],
        [True, True],
    ]  # Cycling, Sports; one Park Tool says nothing
    assert numbers(raw).shape == (0, 0)


def test_terms_are_words_of_the_text_and_whole_labels(tmp_path: Path) -> None:
    """Items 10 and 2 share two categories, one word each; park, tool, remover and bell say nothing alone."""
    item_P, term_P = terms(loaded(split_folder(tmp_path)))
    shared = sorted([hash_to_int31("cycling"), hash_to_int31("sports")])
    assert [sorted(term_P[item_P == item].tolist()) for item in range(3)] == [shared, [], shared]


def test_a_split_may_have_ratings_and_times(tmp_path: Path) -> None:
    lines = "user\titem\tsplit\trating\ttimestamp\n1\ta\ttest\t4.5\t1400000000000\n1\tb\ttrain\t\t1300000000\n"
    raw = loaded(split_folder(tmp_path, lines, '{"item": "a"}\n'))
    assert pairs(raw) == [("1", "b"), ("1", "a")]
    assert raw.events.time_E.tolist() == [1_300_000_000, 1_400_000_000]
    assert np.isnan(raw.rating_E[0]) and raw.rating_E[1] == 4.5


def test_sequences(tmp_path: Path) -> None:
    raw = loaded(sequence_folder(tmp_path))
    assert pairs(raw) == [("1", "5"), ("1", "6"), ("2", "6"), ("2", "7"), ("2", "5")]
    assert raw.events.ordered and not len(raw.events.time_E) and not len(raw.events.label_E)
    assert texts(raw) == {"5": "Red Polish\nOPI. Beauty, Men's", "6": "Brush\nBeauty", "7": ""}
    assert numbers(raw)[0, 0] == 12.5 and np.isnan(numbers(raw)[1:]).all()


def test_movielens(tmp_path: Path) -> None:
    """By time, of one second by movie; who rated a movie twice counts once, the first time."""
    raw = loaded(movie_folder(tmp_path))
    assert pairs(raw) == [("2", "20"), ("1", "3"), ("1", "20")]
    assert raw.rating_E.tolist() == [1, 4, 5]
    assert raw.events.time_E.tolist() == [978300700, 978300700, 978300760]
    assert texts(raw)["3"] == "Misérables, Les (1995)\nDrama, Musical"
    assert raw.events.ordered
    assert labels(raw, fewest=1).tolist() == [[True, False, False], [False, True, True], [False, True, False]]
    assert labels(raw).tolist() == [[False], [True], [True]]  # Drama, of two movies: items are 20, 3, 9


def test_movielens_as_windows_writes_it(tmp_path: Path) -> None:
    """Lines may end in two characters; what latin-1 has at 85 hex is a place within a title, not the end of a line."""
    raw = loaded(movie_folder(tmp_path, RATINGS.replace("\n", "\r\n"), MOVIES.replace("Alone", "Alone\x85")))
    assert raw.rating_E.tolist() == [1, 4, 5]
    assert texts(raw)["9"] == "Alone (1990)\nDrama"


def test_movielens_in_utf8(tmp_path: Path) -> None:
    """As the 10M set is; with a byte order mark or without one; no genre is no label."""
    for mark in ("", "\ufeff"):
        folder = tmp_path / str(len(mark))
        folder.mkdir()
        (folder / "ratings.dat").write_text(f"{mark}1::3::4.5::978300700\n", encoding="utf-8")
        movies = f"{mark}3::Château d'Été, 東京 (1995)::Drama\n4::None (1990)::(no genres listed)\n"
        (folder / "movies.dat").write_text(movies, encoding="utf-8")
        raw = loaded(folder)
        assert (raw.users, raw.items, raw.rating_E.tolist()) == (["1"], ["3", "4"], [4.5])
        assert texts(raw) == {"3": "Château d'Été, 東京 (1995)\nDrama", "4": "None (1990)\n"}
        assert [item.labels for item in raw.metadata_I] == [("Drama",), ()]


def test_a_shop_export(tmp_path: Path) -> None:
    """Quoted commas, a number column with a gap, words that are no known column, photos by name."""
    put(
        tmp_path,
        item_info__csv="item_id,title,description,views,category,colour\n"
        'a,"Pan, iron",Heavy,10,Home|Kitchen,black\nb,Cup,,,Home,red\n',
        interactions__csv="user_id,item_id,rating,timestamp,location\nu2,a,5,2014-03-01T10:00:00,Bergen\n"
        "u1,b,3,2014-02-01,\nu1,c,1,2014-02-02,BERGEN \n",
    )
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(b"jpeg")
    (tmp_path / "images" / "notes.txt").write_bytes(b"no photo")
    raw = loaded(tmp_path)
    assert pairs(raw) == [("u1", "b"), ("u1", "c"), ("u2", "a")]
    assert raw.events.time_E[2] == datetime(2014, 3, 1, 10, tzinfo=UTC).timestamp()
    nowhere, bergen, again = raw.location_E.tolist()
    assert (nowhere, bergen) == (-1, again)
    assert bergen >= 0
    assert texts(raw) == {"a": "Pan, iron\nHeavy", "b": "Cup\n", "c": ""}
    assert [item.image for item in raw.metadata_I] == [tmp_path / "images" / "a.jpg", None, None]
    assert raw.number_names == ("views",)
    assert numbers(raw)[0].tolist() == [10] and np.isnan(numbers(raw)[1:]).all()
    assert labels(raw).tolist() == [[True], [True], [False]]  # Home


def test_a_shop_export_as_other_programs_write_it(tmp_path: Path) -> None:
    """Semicolons, a row number from pandas that is no feature, a separator at each line's end, entities, a mark."""
    put(
        tmp_path,
        item_info__csv=';item_id;title;brand;views\n0;a;"Salt &amp; Pepper";"Smith &amp; Sons";10\n1;b;Cup;Acme;12\n',
        interactions__csv="user_id\titem_id\nu1\ta\t\nu1\tb\t\n",
    )
    raw = loaded(tmp_path)
    assert texts(raw) == {"a": "Salt & Pepper\n", "b": "Cup\n"}
    assert (raw.number_names, raw.metadata_I[0].labels) == (("views",), ("Smith & Sons",))
    assert pairs(raw) == [("u1", "a"), ("u1", "b")]


def test_a_benchmark_as_other_programs_write_it(tmp_path: Path) -> None:
    """Half an emoji, NaN, lists and Python's lists, entities, a mark; the file need not be packed."""
    lines = (
        '\ufeff{"item": 10, "title": "half \\ud83d &amp; whole", "brand": NaN, "categories": ["A", "B"]}\n'
        '{"item": 2, "title": "Cup\\u0000", "brand": "None", "categories": "[\'A\', \\"Men\'s\\"]", "price": "12,50"}\n'
    )
    folder = split_folder(tmp_path)
    (folder / "items.jsonl.gz").write_bytes(lines.encode())
    raw = loaded(folder)
    assert texts(raw) == {"10": "half \ufffd & whole\nA, B", "2": "Cup\nA, Men's"}
    assert [item.labels for item in raw.metadata_I] == [("A", "B"), ("A", "Men's")]
    assert np.isnan(numbers(raw)[0, 0]) and numbers(raw)[1, 0] == 12.5


def test_a_catalogue_that_half_of_the_events_miss_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(tmp_path, item_info__csv="item_id\na\n", interactions__csv="user_id,item_id\nu,a\nu,b.0\nu,c.0\n")
    loaded(tmp_path)
    assert "2 of 3 items with events are not described, such as 'b.0'; ids there are written like 'a'" in caplog.text


def test_a_shop_export_needs_neither_times_nor_ratings(tmp_path: Path) -> None:
    put(tmp_path, item_info__csv="item_id\na\n", interactions__csv="user_id,item_id\nu,a\n")
    raw = loaded(tmp_path)
    assert not raw.events.ordered and not len(raw.rating_E)


D = date(2014, 3, 1)


def delta_table(folder: Path, table: Table, rows: list[dict[str, Any]]) -> None:
    schema = delta.arrow_schema(table)
    blank = {"string": "", "long": 0, "double": 0.0, "boolean": True}
    filled = [
        {c.name: row.get(c.name, None if c.nullable else blank.get(c.type, D)) for c in table.columns} for row in rows
    ]
    parts = list(table.partitioned_by) or None
    place = delta.table_path(table, folder)
    write_deltalake(place, pa.Table.from_pylist(filled, schema), mode="append", partition_by=parts)


def make_lake(folder: Path) -> Path:
    """Two items, of which the second has a title alone and a photo; three reviews, two within one second."""
    at = [datetime(2014, 2, 1, 12, tzinfo=UTC), datetime(2014, 2, 2, 12, tzinfo=UTC)]
    hits = [("u1", "i1", at[1], "r1"), ("u1", "i2", at[0], "r2"), ("u2", "i1", at[0], "r3")]
    night = {"as_of": D, "in_core": True, "split": "train", "rating": 4.0}
    delta_table(folder, CUTS, [{"run_date": D, "exam_cut": date(2014, 2, 1)}])
    delta_table(
        folder,
        INTERACTIONS,
        [night | {"user_id": u, "item_id": i, "interacted_at": t, "review_hash": r} for u, i, t, r in hits],
    )
    reviews = [{"review_hash": "r1", "title": "Fine", "text": "really"}, {"review_hash": "r3", "text": "so so"}]
    delta_table(folder, REVIEWS, [row | {"reviewed_at": at[0]} for row in reviews])
    versions = [
        {
            "item_id": "i1",
            "item_hash": "h1",
            "title": "Pan",
            "description": "Heavy",
            "categories": ["Home"],
            "price": 3.0,
        },
        {"item_id": "i1", "item_hash": "h0", "title": "Old pan"},
        {"item_id": "i2", "item_hash": "h2", "title": "Cup"},
    ]
    delta_table(folder, ITEMS, [row | {"dataset": "shop"} for row in versions])
    stands = [
        ("i1", "text", "t1", None, "h1"),
        ("i1", "image", None, "no_url", "h1"),
        ("i2", "text", "t2", "no_description", "h2"),
        ("i2", "image", "abcd", None, "h2"),
    ]
    columns = ("item_id", "modality", "content_hash", "reason", "item_hash")
    delta_table(folder, CONTENTS, [dict(zip(columns, row, strict=True), as_of=D, dataset="shop") for row in stands])
    return folder


def test_a_lake_at_a_run_date(tmp_path: Path) -> None:
    raw = loaded(make_lake(tmp_path), D)
    assert pairs(raw) == [("u2", "i1"), ("u1", "i2"), ("u1", "i1")]
    assert raw.review_E == ["\nso so", "", "Fine\nreally"]
    assert texts(raw) == {"i1": "Pan\nHeavy", "i2": "Cup\n"}
    assert [item.described for item in raw.metadata_I] == [True, False]
    assert [item.image for item in raw.metadata_I] == [None, tmp_path / "images" / "ab" / "abcd.jpg"]
    assert raw.core == (5, 5)


@pytest.mark.parametrize("day", [None, date(2015, 1, 1)])
def test_a_lake_needs_one_of_its_nights(tmp_path: Path, day: date | None) -> None:
    with pytest.raises(UsageError, match="add --date YYYY-MM-DD; its nights: 2014-03-01 to 2014-03-01"):
        loaded(make_lake(tmp_path), day)


def test_a_folder_of_none_of_these_layouts_says_what_was_looked_for(tmp_path: Path) -> None:
    put(tmp_path, interactions__tsv__gz=SPLIT)
    with pytest.raises(UsageError, match=r"looked for interactions.tsv.gz \+ items.jsonl.gz; .*ratings.dat \+ movies"):
        loaded(tmp_path)
    with pytest.raises(UsageError, match="no folder"):
        loaded(tmp_path / "nowhere")


Make = Callable[[Path], Path]
BROKEN: dict[str, Make] = {
    r"interactions.tsv.gz, line 3: split is 'dev': known are train": lambda f: split_folder(
        f, "user\titem\tsplit\n1\t2\ttrain\n1\t3\tdev\n"
    ),
    r"interactions.tsv.gz, line 4: item is '': it may not be blank": lambda f: split_folder(
        f, "user\titem\tsplit\n1\t2\ttrain\n\n1\t\ttest\n"
    ),
    r"interactions.tsv.gz, line 2: 2 cells where the header has 3": lambda f: split_folder(
        f, "user\titem\tsplit\n1\t2\n1\t3\ttrain\n"
    ),
    r"interactions.tsv.gz, line 3: 4 cells where the header has 3": lambda f: split_folder(
        f, "user\titem\tsplit\n1\t2\ttrain\n1\t2\ttrain\tx\n"
    ),
    r"interactions.tsv.gz: no column split: its header is user, item": lambda f: split_folder(f, "user\titem\n1\t2\n"),
    r"interactions.tsv.gz: empty": lambda f: split_folder(f, ""),
    r"no events in it": lambda f: split_folder(f, "user\titem\tsplit\n"),
    r"items.jsonl.gz, line 2: not JSON": lambda f: split_folder(f, items='{"item": 1}\n{"item": \n'),
    r"items.jsonl.gz, line 1: no field item": lambda f: split_folder(f, items='{"asin": 1}\n'),
    r"items.jsonl.gz, line 2: item 1 stands there twice": lambda f: split_folder(f, items='{"item": 1}\n{"item": 1}\n'),
    r"sequences.txt.gz, line 2: user 9 without an item": lambda f: sequence_folder(f, "1 2 3\n9\n"),
    r"sequences.txt.gz, line 3: user 1 stands on line 1 already": lambda f: sequence_folder(f, "1 2\n2 3\n1 4\n"),
    r"ratings.dat, line 2: not the 4 fields user, movie, rating, timestamp": lambda f: movie_folder(
        f, "1::2::3::4\n1::2::3\n"
    ),
    r"ratings.dat, line 1: rating is 'good': that is no number": lambda f: movie_folder(f, "1::2::good::4\n"),
    r"movies.dat, line 2: movie is ''": lambda f: movie_folder(f, movies="3::A::B\n::C::D\n"),
    r"interactions.csv, line 3: timestamp is 'noon': write seconds": lambda f: put(
        f, item_info__csv="item_id\na\n", interactions__csv="user_id,item_id,timestamp\nu,a,2014-01-01\nu,b,noon\n"
    ),
    r"item_info.csv, line 3: 3 cells where the header has 2 \(b \| Pan \| iron\): quote a cell": lambda f: put(
        f, item_info__csv="item_id,title\na,Cup\nb,Pan, iron\n", interactions__csv="user_id,item_id\nu,a\n"
    ),
    r"item_info.csv, line 3: not UTF-8 \(byte 0xe9\)": lambda f: put(
        f, item_info__csv="item_id,title\na,Cup\nb,Café\n", interactions__csv="user_id,item_id\nu,a\n"
    ),
    r"no item of the events is among those described, such as '1012.0'; ids there are written like '1012'": lambda f: (
        put(f, item_info__csv="item_id\n1012\n", interactions__csv="user_id,item_id\n1.0,1012.0\n")
    ),
    r"no item of the events is among those described, such as '012'": lambda f: split_folder(
        f, "user\titem\tsplit\n1\t012\ttrain\n", '{"item": 12}\n'
    ),
    r"images: no photo is called by an item's id: 7.0.jpg there, 7 in item_info.csv": lambda f: put(
        f, item_info__csv="item_id\n7\n", interactions__csv="user_id,item_id\nu,7\n", **{"images/7.0__jpg": ""}
    ),
    r"interactions.csv: two columns are called item_id": lambda f: put(
        f, item_info__csv="item_id\na\n", interactions__csv="user_id,item_id,item_id\nu,a,b\n"
    ),
    r"item_info.csv: item a stands there twice": lambda f: put(
        f, item_info__csv="item_id\na\na\n", interactions__csv="user_id,item_id\nu,a\n"
    ),
}


@pytest.mark.parametrize("message", BROKEN)
def test_what_is_broken_is_named_by_file_and_line(message: str, tmp_path: Path) -> None:
    with pytest.raises(JobError, match=message):
        loaded(BROKEN[message](tmp_path))


def test_a_gzip_that_ends_early_is_named(tmp_path: Path) -> None:
    path = split_folder(tmp_path) / "items.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(JobError, match=r"items.jsonl.gz: a gzip that is cut off or broken"):
        loaded(tmp_path)


def test_the_fingerprint_is_that_of_the_interactions(tmp_path: Path) -> None:
    """Another text is the same data, another split is not."""
    one = loaded(split_folder(tmp_path / "a")).fingerprint
    assert one == loaded(split_folder(tmp_path / "b", items=SPLIT_ITEMS.replace("bell", "horn"))).fingerprint
    assert one != loaded(split_folder(tmp_path / "c", SPLIT.replace("val", "train"))).fingerprint
