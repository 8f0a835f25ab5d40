"""The transforms of the snapshots: rows typed by hand, and random worlds against the small reference."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_jobs.contracts.tables import CONTENTS, INTERACTIONS, ITEM_IMAGES, ITEMS, REVIEWS, Table
from recsys_jobs.data.k_core import k_core as in_memory_k_core
from tests import snapshot_rules
from tests.snapshot_rules import Event

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.slow

H, D = date(2014, 3, 1), date(2014, 3, 5)
CUTS = [H, D]


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2014, 3, day, hour, tzinfo=UTC)


def frame(spark: SparkSession, table: Table, *rows: dict[str, Any]) -> DataFrame:
    """Rows of `table`; what a row leaves out is null, or a filler where null is not allowed."""
    filler = {"string": "-", "double": 3.0, "timestamp": at(1), "boolean": False}
    empty = {column.name: None if column.nullable else filler.get(column.type) for column in table.columns}
    return spark.createDataFrame([tuple((empty | row).values()) for row in rows], table.ddl)


def rows(frame: DataFrame) -> set[tuple]:
    """The rows; an exception where one stands twice."""
    found = [tuple(row) for row in frame.collect()]
    assert len(found) == len(set(found))
    return set(found)


def review(user: str, item: str, when: datetime, name: str, **more: Any) -> dict[str, Any]:
    return {"user_id": user, "item_id": item, "reviewed_at": when, "review_hash": name, **more}


def test_the_first_event_of_a_pair_stands_for_it_at_each_cut(spark):
    from pyspark.sql import functions as F

    from spark.interactions import at_cuts, first_events

    reviews = frame(
        spark,
        REVIEWS,
        review("ann", "cup", at(3), "c", rating=5.0),
        review("ann", "cup", at(1, 23), "b", rating=2.0, text_hash="t2"),
        review("ann", "cup", at(1, 23), "a", rating=1.0, text_hash="t1"),
        review("bob", "cup", at(5, 23), "d", rating=4.0),
        review("bob", "bag", at(6), "e", rating=4.0),
    )
    pairs = at_cuts(first_events(reviews, D), CUTS)
    when = F.date_format("interacted_at", "dd HH")
    assert rows(pairs.select("as_of", "user_id", "item_id", when, "rating", "review_hash", "text_hash")) == {
        (H, "ann", "cup", "01 23", 1.0, "a", "t1"),
        (D, "ann", "cup", "01 23", 1.0, "a", "t1"),
        (D, "bob", "cup", "05 23", 4.0, "d", None),
    }


def test_each_cut_has_its_own_core_and_says_what_made_it(spark):
    from spark.kcore import Peeling, k_core

    #  at H a square, from which nothing goes; at D ann's second item and then ann hang on one thread, cup
    square = [("bob", "bag"), ("bob", "hat"), ("cid", "bag"), ("cid", "hat")]
    thread = [("ann", "cup"), ("ann", "bag"), ("bob", "pen")]
    pairs = spark.createDataFrame(
        [(H, *pair) for pair in square] + [(D, *pair) for pair in square + thread],
        "as_of date, user_id string, item_id string",
    )
    core, peeled = k_core(pairs, user_core=2, item_core=2)
    assert rows(core) == {(cut, *pair) for cut in CUTS for pair in square}
    assert peeled[H] == Peeling(rounds=0, below_user_core=0, below_item_core=0, left=4)
    assert peeled[D] == Peeling(rounds=2, below_user_core=1, below_item_core=2, left=4)


def interaction(cut: date, user: str, item: str, day: int = 1) -> dict[str, Any]:
    return {"as_of": cut, "user_id": user, "item_id": item, "interacted_at": at(day), "in_core": True}


def test_people_who_share_two_items_make_an_edge(spark):
    from spark.edges import co_review

    interactions = frame(
        spark,
        INTERACTIONS,
        *(interaction(D, user, item) for user in ("ann", "bob") for item in ("cup", "bag")),
        *(interaction(H, "ann", item) for item in ("cup", "bag")),
        interaction(D, "bob", "hat", day=2),
    )
    assert rows(co_review(interactions, history=2, per_item=50)) == {
        (H, "bag", "cup", "co_review", 1.0),
        (D, "bag", "cup", "co_review", 1.0),  # bob's last two are hat and, of two at one time, cup
        (D, "cup", "hat", "co_review", 1.0),
    }


def item(name: str, **more: Any) -> dict[str, Any]:
    return {"item_id": name, "dataset": "shop", "item_hash": f"{name}-hash", **more}


def test_the_version_in_force_is_the_last_that_landed_by_the_cut(spark):
    from spark.contents import in_force

    items = frame(
        spark,
        ITEMS,
        item("cup", item_hash="1", landed_on=None),
        item("cup", item_hash="9", landed_on=date(2014, 3, 2)),
        item("cup", item_hash="8", landed_on=date(2014, 3, 2)),
        item("cup", item_hash="0", landed_on=date(2014, 3, 6)),
        item("bag", item_hash="5", landed_on=date(2014, 3, 5)),
        item("bag", item_hash="5", landed_on=date(2014, 3, 5), dataset="mall"),
        item("hat", item_hash="7", landed_on=date(2014, 3, 6)),
    )
    assert rows(in_force(items, CUTS).select("as_of", "item_id", "dataset", "item_hash")) == {
        (H, "cup", "shop", "1"),
        (D, "cup", "shop", "8"),
        (D, "bag", "mall", "5"),
    }


def test_listed_edges_join_eligible_items_and_weigh_two_where_mutual(spark):
    from spark.contents import eligible, in_force
    from spark.edges import listed

    items = frame(
        spark,
        ITEMS,
        item("cup", also_bought=["bag", "bag", "cup", "gone"], bought_together=["bag"]),
        item("bag", also_bought=["cup", "old"], also_viewed=[]),
    )
    versions = in_force(items, [D])
    known = eligible(frame(spark, INTERACTIONS, interaction(D, "ann", "old")), versions)
    assert rows(listed(versions, known)) == {
        (D, "bag", "cup", "also_bought", 2.0),
        (D, "bag", "old", "also_bought", 1.0),
        (D, "bag", "cup", "bought_together", 1.0),
    }


def test_contents_name_what_stands_for_an_item_or_why_nothing_does(spark):
    from spark.contents import contents, eligible, in_force

    def picture(name: str, source: str, state: str) -> dict[str, Any]:
        return {
            "item_id": name,
            "source": source,
            "state": state,
            "content_hash": f"<{source}>" if state == "ok" else None,
        }

    items = frame(
        spark,
        ITEMS,
        item("full", title="Cup", description="Blue", text_hash="t1", image_urls=["http://a", "http://b"]),
        item("bare", title="Cup", description=" \n", text_hash="t2", image_urls=["http://c", "http://d"]),
        item("mute", image_urls=["http://e"]),
        item("file", title="Cup", description="Red", text_hash="t3", image_urls=["http://f"]),
        item("torn", title="Cup", description="Red", text_hash="t4", image_urls=["http://g"]),
        item("none", title="Cup", description="Red", text_hash="t5", image_urls=[]),
        item("many", title="Cup", description="Red", text_hash="t6", image_urls=[f"http://{n}" for n in "hhijk"]),
    )
    images = frame(
        spark,
        ITEM_IMAGES,
        picture("full", "http://b", "ok"),
        picture("full", "http://a", "missing"),
        picture("full", "http://once", "ok"),  # of another version
        picture("bare", "http://c", "corrupt"),
        picture("bare", "http://d", "unreachable"),
        picture("file", "http://f", "ok"),
        picture("file", "shop/images/file.jpg", "ok"),
        picture("torn", "http://g", "ok"),
        picture("torn", "shop/images/torn.jpg", "corrupt"),
        picture("lone", "shop/images/lone.jpg", "ok"),
        picture("hurt", "shop/images/hurt.jpg", "too_large"),
        picture("many", "http://h", "missing"),
        picture("many", "http://k", "ok"),  # its fourth URL: looked at for a later version's sake
        picture("gone", "shop/images/gone.jpg", "ok"),  # not eligible
    )
    seen = frame(spark, INTERACTIONS, *(interaction(D, "ann", name) for name in ("lone", "hurt", "ghost", "full")))
    versions = in_force(items, [D])
    found = contents(eligible(seen, versions), versions, images)
    assert found.columns == CONTENTS.names
    assert rows(found) == {
        (D, "full", "text", "t1", None, "shop", "full-hash"),
        (D, "full", "image", "<http://b>", None, "shop", "full-hash"),
        (D, "bare", "text", "t2", "no_description", "shop", "bare-hash"),
        (D, "bare", "image", None, "corrupt", "shop", "bare-hash"),
        (D, "mute", "text", None, "no_text", "shop", "mute-hash"),
        (D, "mute", "image", None, "not_tried", "shop", "mute-hash"),
        (D, "file", "text", "t3", None, "shop", "file-hash"),
        (D, "file", "image", "<shop/images/file.jpg>", None, "shop", "file-hash"),
        (D, "torn", "text", "t4", None, "shop", "torn-hash"),
        (D, "torn", "image", "<http://g>", None, "shop", "torn-hash"),
        (D, "none", "text", "t5", None, "shop", "none-hash"),
        (D, "none", "image", None, "no_url", "shop", "none-hash"),
        (D, "many", "text", "t6", None, "shop", "many-hash"),
        (D, "many", "image", None, "missing", "shop", "many-hash"),
        (D, "lone", "text", None, "no_item", None, None),
        (D, "lone", "image", "<shop/images/lone.jpg>", None, None, None),
        (D, "hurt", "text", None, "no_item", None, None),
        (D, "hurt", "image", None, "too_large", None, None),
        (D, "ghost", "text", None, "no_item", None, None),
        (D, "ghost", "image", None, "no_item", None, None),
    }


# Random worlds, many to a job: each has its own users, items, years and as_of.

WORLDS, USER_CORE, ITEM_CORE, SHARE, HISTORY, PER_ITEM, MIN_USERS = 40, 2, 2, 0.3, 4, 2, 2


def world(generator: random.Random, number: int) -> list[Event]:
    """Up to 40 events with shared times, repeated pairs and, now and then, hardly anything."""
    people, things = generator.randint(1, 6), generator.randint(1, 7)
    start = datetime(1980 + number, 1, 1, tzinfo=UTC)
    return [
        Event(
            f"w{number}-u{generator.randrange(people)}",
            f"w{number}-i{generator.randrange(things)}",
            start + timedelta(days=generator.randint(0, 8), hours=generator.choice([0, 12])),
            f"{generator.getrandbits(64):016x}",
            float(generator.randint(1, 5)),
        )
        for _ in range(generator.randint(1, 40))
    ]


@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_transforms_equal_the_reference(spark, seed):
    from pyspark.sql import functions as F

    from spark.cuts import Day, calendar, exam_cut
    from spark.edges import co_review
    from spark.interactions import first_events, with_core
    from spark.kcore import k_core

    worlds = [world(random.Random(seed + number), number) for number in range(WORLDS)]
    run_dates = [date(1980 + number, 1, 8) for number in range(WORLDS)]
    reviews = frame(
        spark,
        REVIEWS,
        *(review(e.user_id, e.item_id, e.reviewed_at, e.review_hash, rating=e.rating) for w in worlds for e in w),
    )
    run_date = F.make_date(F.year("interacted_at"), F.lit(1), F.lit(8))
    late = F.to_date("interacted_at") > run_date
    pairs = first_events(reviews, date(2100, 1, 1)).where(~late).withColumn("as_of", run_date).cache()
    core, _ = k_core(pairs, USER_CORE, ITEM_CORE)
    interactions = with_core(pairs, core, SHARE).cache()

    found = defaultdict(set)
    for row in interactions.collect():
        found[row["as_of"]].add((row["user_id"], row["item_id"], row["review_hash"], row["in_core"], row["split"]))
    edges = defaultdict(set)
    for row in co_review(interactions, HISTORY, PER_ITEM).collect():
        edges[row["as_of"]].add((row["src"], row["dst"], row["weight"]))
    days = defaultdict(list)
    for row in calendar(pairs).collect():
        days[row["day"].year].append(Day(*row))

    for events, night in zip(worlds, run_dates, strict=True):
        firsts = snapshot_rules.first_events(events, night)
        assert bool(firsts) == (night in found)
        if not firsts:
            continue
        users, items = [e.user_id for e in firsts], [e.item_id for e in firsts]
        user_E, item_E = snapshot_rules.id_codes(users), snapshot_rules.id_codes(items)
        core_E = in_memory_k_core(user_E, item_E, USER_CORE, ITEM_CORE)
        split_E = np.where(snapshot_rules.validation_part(core_E, SHARE), "validation", "train")
        expected = zip(users, items, [e.review_hash for e in firsts], core_E.tolist(), split_E.tolist(), strict=True)
        assert found[night] == set(expected)

        name = sorted(set(items))
        kept = snapshot_rules.co_review_edges(user_E, item_E, HISTORY, PER_ITEM)
        assert edges[night] == {(name[src], name[dst], float(weight)) for (src, dst), weight in kept.items()}

        day_E = np.array([e.reviewed_at.date() for e in firsts], dtype="datetime64[D]")
        for share in (0.2, 1.0):
            slow = snapshot_rules.choose_exam_cut(user_E, day_E, night, MIN_USERS, share)
            fast = exam_cut(days[night.year], night, MIN_USERS, share)
            assert (fast.day, fast.users, fast.held_out, fast.decidable) == (
                slow.day,
                slow.users,
                slow.pairs,
                slow.decidable,
            )
            assert fast.pairs == len(firsts)
    pairs.unpersist()
    interactions.unpersist()
