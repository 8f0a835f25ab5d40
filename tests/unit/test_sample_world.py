"""The sample's world: who picks what, and which words give what away."""

from __future__ import annotations

import numpy as np
import pytest

from recsys_jobs.sample.dates import DAYS, FIRST_FOLDER, FIRST_NIGHT, LAST_DAY, SECOND_NIGHT, START, folder_days
from recsys_jobs.sample.events import IS_DUPLICATE, IS_RETOLD, PLAIN, Events, _picks, day_E, events, weights_UI
from recsys_jobs.sample.records import item_record
from recsys_jobs.sample.text import Words, description, review, title
from recsys_jobs.sample.world import (
    BLOCK,
    CIRCLES,
    COLOURS,
    CRAFTS,
    KINDS,
    PATTERNS,
    THEMES,
    Catalogue,
    People,
    catalogue,
    item_count,
    people,
)

RED, BLUE = COLOURS.index("red"), COLOURS.index("blue")
PLAIN_CLOTH, STRIPED = PATTERNS.index("plain"), PATTERNS.index("striped")
JAZZ, CHESS, YOGA = THEMES.index("jazz"), THEMES.index("chess"), THEMES.index("yoga")
VINTAGE, ORGANIC = CRAFTS.index("vintage"), CRAFTS.index("organic")
MUG, HAT, KITE = KINDS.index("mug"), KINDS.index("hat"), KINDS.index("kite")

# kind, colour, pattern, theme, craft, circle, popularity, first day of sale, first day off sale
SHELF = [
    (MUG, RED, STRIPED, JAZZ, VINTAGE, 3, 0.4, 0, DAYS),
    (HAT, BLUE, PLAIN_CLOTH, CHESS, ORGANIC, 3, 0.3, 0, 50),
    (KITE, BLUE, STRIPED, YOGA, VINTAGE, 7, 0.2, 40, DAYS),
    (KITE, BLUE, PLAIN_CLOTH, CHESS, ORGANIC, 9, 0.1, 0, DAYS),
]


def shelf() -> Catalogue:
    rows = list(zip(*SHELF, strict=True))
    kind, colour, pattern, theme, craft, circle, popularity, sale, end = (np.array(row) for row in rows)
    no = np.zeros(4, dtype=bool)
    return Catalogue(
        *(kind, colour, pattern, theme, craft, circle, popularity, sale, sale, end, np.full(4, -1)),
        *(~no, ~no, no, no, no, np.full((4, 8), 0.5)),
    )


def listener() -> People:
    """One person who loves mugs, lamps, red, pink, jazz, sailing, stripes, vintage things, and circle 3."""
    return People(
        first=0,
        kind_U2=np.array([[MUG, KINDS.index("lamp")]]),
        colour_U2=np.array([[RED, COLOURS.index("pink")]]),
        theme_U2=np.array([[JAZZ, THEMES.index("sailing")]]),
        pattern_U1=np.array([[STRIPED]]),
        craft_U1=np.array([[VINTAGE]]),
        circle_U=np.array([3]),
        joined_U=np.array([0.0]),
        events_U=np.array([1]),
        expressive_U=np.array([True]),
    )


@pytest.fixture(scope="module")
def world() -> Catalogue:
    return catalogue(1500, seed=0)


@pytest.fixture(scope="module")
def crowd(world: Catalogue) -> tuple[People, Events]:
    first, rng = people(0, 1500, seed=0)
    return first, events(world, first, rng)


def test_the_calendar_holds_a_bulk_folder_and_two_nights_in_a_row() -> None:
    assert START < FIRST_FOLDER < FIRST_NIGHT < SECOND_NIGHT < LAST_DAY
    assert (SECOND_NIGHT - FIRST_NIGHT).days == 1
    assert len(folder_days(FIRST_FOLDER)) == 1
    assert len(folder_days(SECOND_NIGHT)) == 21


@pytest.mark.parametrize(("users", "items"), [(1, 60), (1500, 600), (6000, 1200), (1_000_000, 15_492)])
def test_the_catalogue_grows_with_the_square_root_of_the_people(users: int, items: int) -> None:
    assert item_count(users) == items


def test_weights_multiply_popularity_by_the_odds_of_what_is_loved() -> None:
    expected = [
        0.4 * 3 * 6 * 4 * 6 * 4 * 12,  # kind, colour, pattern, theme, craft, circle
        0.3 * 12,  # the circle alone
        0.2 * 4 * 4,  # pattern and craft
        0.1,
    ]
    np.testing.assert_allclose(weights_UI(shelf(), listener()), [expected])


def test_draws_follow_the_weights_among_what_is_on_sale() -> None:
    people_count = 20_000
    weights = np.tile([5.0, 2.0, 10.0, 1.0], (people_count, 1))
    persons, days = np.arange(people_count), np.full(people_count, 10)  # day 10: the third is not on sale yet
    drawn = _picks(shelf(), weights, persons, days, np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(drawn, minlength=4) / people_count, [5 / 8, 2 / 8, 0, 1 / 8], atol=0.015)


def test_a_person_whose_shelf_is_empty_draws_nothing_more() -> None:
    persons, days = np.zeros(5, dtype=np.int64), np.full(5, 60)  # day 60: the second is gone
    drawn = _picks(shelf(), np.ones((1, 4)), persons, days, np.random.default_rng(0))
    assert sorted(drawn.tolist()) == [-1, -1, 0, 2, 3]


def test_picks_are_on_sale_and_never_twice_the_same(world: Catalogue, crowd: tuple[People, Events]) -> None:
    _, happened = crowd
    plain = happened.role_E == PLAIN
    item, day = happened.item_E[plain], day_E(happened.time_E)[plain]
    assert ((world.sale_I[item] <= day) & (day < world.end_I[item])).all()
    assert len({*zip(happened.person_E[plain].tolist(), item.tolist(), strict=True)}) == plain.sum()


def test_every_event_lies_within_the_world_and_after_its_person_joined(crowd: tuple[People, Events]) -> None:
    first, happened = crowd
    day = day_E(happened.time_E)
    assert day.min() >= 0
    assert day.max() < DAYS
    assert (day >= np.floor(first.joined_U[happened.person_E])).all()


def test_some_events_of_a_person_share_their_timestamp(crowd: tuple[People, Events]) -> None:
    _, happened = crowd
    plain = happened.role_E == PLAIN
    moments = {*zip(happened.person_E[plain].tolist(), happened.time_E[plain].tolist(), strict=True)}
    assert 0.10 < 1 - len(moments) / plain.sum() < 0.20


def test_companions_repeat_the_key_of_an_event(crowd: tuple[People, Events]) -> None:
    _, happened = crowd
    keys = list(zip(happened.person_E.tolist(), happened.item_E.tolist(), happened.time_E.tolist(), strict=True))
    plain = {key for key, role in zip(keys, happened.role_E, strict=True) if role == PLAIN}
    twins = [key for key, role in zip(keys, happened.role_E, strict=True) if role in (IS_DUPLICATE, IS_RETOLD)]
    assert twins
    assert plain.issuperset(twins)


def test_tastes_and_circle_show_in_what_people_pick(world: Catalogue, crowd: tuple[People, Events]) -> None:
    """Each loved value is picked more often than chance: half as often again at the least."""
    first, happened = crowd
    person, item = happened.person_E, happened.item_E
    for loved, value, values in [
        (first.theme_U2, world.theme_I, len(THEMES)),
        (first.craft_U1, world.craft_I, len(CRAFTS)),
        (first.colour_U2, world.colour_I, len(COLOURS)),
        (first.pattern_U1, world.pattern_I, len(PATTERNS)),
        (first.circle_U[:, None], world.circle_I, CIRCLES),
    ]:
        hits = (loved[person] == value[item, None]).any(axis=1).mean()
        assert hits > 1.5 * loved.shape[1] / values


def test_a_block_is_the_same_whatever_other_blocks_are_made() -> None:
    alone, _ = people(1, 3 * BLOCK, seed=5)
    people(0, 3 * BLOCK, seed=5)
    again, _ = people(1, 3 * BLOCK, seed=5)
    other, _ = people(1, 3 * BLOCK, seed=6)
    np.testing.assert_array_equal(alone.theme_U2, again.theme_U2)
    assert (alone.theme_U2 != other.theme_U2).any()
    assert alone.first == BLOCK


def test_items_come_and_go_and_some_are_never_picked(world: Catalogue, crowd: tuple[People, Events]) -> None:
    assert (world.launch_I == 0).sum() > 300
    assert (world.launch_I > 90).sum() > 30
    assert (world.end_I < DAYS).sum() > 20
    waiting = np.flatnonzero(world.sale_I == DAYS)
    assert len(waiting) == 12
    assert (world.launch_I[waiting] >= DAYS - 14).all()
    assert not np.isin(crowd[1].item_E, waiting).any()


SHIRT = Words("shirt", "blue", "striped", "chess", "vintage")


def test_a_title_names_colour_and_pattern_only_where_it_should() -> None:
    assert title(SHIRT, False, False, [0.0, 0.9, 0.9]) == "Harbor & Pine Shirt"
    assert title(SHIRT, False, False, [0.0, 0.9, 0.1]) == "Harbor & Pine Chess Shirt"
    assert title(SHIRT, True, True, [0.2, 0.1, 0.1]) == "Northwind Blue Striped Vintage Chess Shirt"


def test_a_description_tells_theme_and_craft_and_may_carry_markup() -> None:
    assert description(SHIRT, False, [0.0, 0.9]) == [
        "A shirt for everyone who loves chess.",
        "A vintage make, as your grandparents knew it.",
        "Think of long games and late checkmates.",
    ]
    assert description(SHIRT, True, [0.0, 0.9]) == [
        "<p><b>A shirt for everyone who loves chess.</b></p><ul><li>A vintage make, as your grandparents knew it.</li>"
        "<li>Think of long games and late checkmates. Gift &amp; keep&#33;</li></ul>"
    ]


def test_a_review_speaks_of_the_item_and_of_who_writes() -> None:
    loves = Words("hat", "red", "dotted", "jazz", "organic")
    wording = [0.0, 0.1, 0.0, 0.1, 0.0, 0.0, 0.9, 0.5, 0.5, 0.5]
    said = review(SHIRT, loves, 5, wording)
    assert said == "I bought this shirt last month. It suits chess very well. I live for jazz. Would buy it again."
    quiet = review(SHIRT, None, 1, wording)
    assert quiet == "I bought this shirt last month. It suits chess very well. Not what I wanted."


def test_item_texts_give_away_neither_look_nor_circle(world: Catalogue) -> None:
    """Colour and pattern stand in the titles that name them, three in ten, and in no other text."""
    named = 0
    for item in range(len(world)):
        record = item_record(world, item, users=1500)
        colour, pattern = COLOURS[world.colour_I[item]].title(), PATTERNS[world.pattern_I[item]].title()
        words = record["title"].split()
        assert (colour in words) == world.colour_named_I[item]
        assert (pattern in words) == world.pattern_named_I[item]
        assert not {colour.lower(), pattern.lower()} & set(" ".join(record["description"]).lower().split())
        named += colour in words
    assert 0.25 < named / len(world) < 0.35
