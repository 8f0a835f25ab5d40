"""What the pages say of a small lake: nights, people, items, two nights side by side; read by partition and key."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from recsys_jobs.contracts.errors import UsageError
from recsys_jobs.contracts.tables import RECOMMENDATIONS
from recsys_jobs.lake.partitions import Partitions, Source, open_partitions
from recsys_jobs.pages import sources
from recsys_jobs.pages.cards import cards
from recsys_jobs.pages.compare import compare_nights
from recsys_jobs.pages.exposure import write_exposure
from recsys_jobs.pages.items import find_items, item
from recsys_jobs.pages.night import odd_files, odd_lines, stages
from recsys_jobs.pages.nights import NightRun, nights_page, report_path
from recsys_jobs.pages.people import find_people, random_person
from recsys_jobs.pages.person import gone, item_ranks, person, with_changes
from recsys_jobs.pages.text import clip, reference
from tests.components import pages_shop, shop
from tests.components.pages_shop import EVERYBODY, HOSTILE_ITEM, HOSTILE_USER, LONG, LONG_USER
from tests.components.shop import FIRST, ITEM_IDS, NIGHT, USER_IDS

NOW = datetime(2024, 1, 3, 6, tzinfo=UTC)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The lake of the pages' shop, for all tests of this file."""
    with pytest.MonkeyPatch.context() as patch:
        folder = shop.place(tmp_path_factory.mktemp("pages"), patch)
        pages_shop.open_shop(folder)
        yield folder


@pytest.fixture
def partitions(lake: Path) -> Iterator[Partitions]:
    """Its tables, as one page opens them."""
    with open_partitions() as opened:
        yield opened


def test_a_night_says_what_it_published_and_why(partitions: Partitions) -> None:
    shown = nights_page(partitions, {}, 1, NOW)
    assert [night.night for night in shown.nights] == [NIGHT, FIRST]
    newest = shown.nights[0]
    assert (newest.recipe, newest.model, newest.reason) == (
        "recent_sage",
        "shop-recommender version 2",
        "ahead of the floor",
    )
    assert newest.model_ndcg is not None and newest.floor_ndcg is not None
    assert (newest.model_ndcg.value, newest.floor_ndcg.value, newest.hours_after) == (0.2, 0.1, 5.0)
    assert [night.state for night in shown.nights] == ["odd", "good"]  # the gate of the second one failed


def test_the_newest_night_is_fresh_for_two_days(partitions: Partitions) -> None:
    assert not nights_page(partitions, {}, 1, NOW).freshness.is_stale
    assert nights_page(partitions, {}, 1, NOW + timedelta(days=2)).freshness.is_stale


def test_a_red_run_without_slates_is_a_night_of_its_own(partitions: Partitions) -> None:
    day = date(2024, 1, 3)
    run = NightRun(day, "manual__1", "failed", 3.0, ("ingest.dumps",))
    red = nights_page(partitions, {day: run}, 1, NOW).nights[0]
    assert (red.night, red.state, red.is_published) == (day, "red", False)


def test_drift_in_the_report_makes_a_night_odd_and_stages_have_their_usual_time(partitions: Partitions) -> None:
    report_path(FIRST).parent.mkdir(exist_ok=True)
    report_path(FIRST, ".json").write_text(json.dumps({"seconds": {"train.recipe": 60.0}, "alerts": ["far away"]}))
    report_path(NIGHT, ".json").write_text(json.dumps({"seconds": {"train.recipe": 200.0, "ingest.dumps": 5.0}}))
    assert nights_page(partitions, {}, 1, NOW).nights[1].state == "odd"
    assert [(s.task, s.seconds, s.usual) for s in stages(NIGHT, [NIGHT, FIRST])] == [
        ("train.recipe", 200.0, 60.0),
        ("ingest.dumps", 5.0, None),
    ]


def test_what_landed_and_did_not_enter_whole_is_shown_with_its_lines(partitions: Partitions) -> None:
    files = odd_files(partitions, NIGHT, FIRST)
    assert [(file.state, file.message) for file in files] == [("refused", "ends early"), ("accepted", "")]
    assert [(line.position, line.reason) for line in odd_lines(partitions, files)] == [(7, "invalid_json")]
    assert odd_files(partitions, FIRST, None) == []


def test_people_are_found_by_prefix_in_pages(partitions: Partitions) -> None:
    assert [row.user_id for row in find_people(partitions, NIGHT, "AUSER1", "all", "").people] == USER_IDS[10:20]
    rest = find_people(partitions, NIGHT, "AUSER1", "all", USER_IDS[17])
    assert [row.user_id for row in rest.people] == USER_IDS[18:20]
    assert rest.after == ""
    assert find_people(partitions, NIGHT, "nobody", "all", "").people == []


def test_a_person_row_counts_events_and_pictures(partitions: Partitions) -> None:
    [row] = find_people(partitions, NIGHT, USER_IDS[0], "all", "").people
    assert (row.events, row.with_picture) == (4, 2)  # i00, i03, i06, i09: two of the first six have a picture


def test_slices_hold_whom_they_say(partitions: Partitions) -> None:
    cold = find_people(partitions, NIGHT, "", "cold", "").people
    assert {row.user_id for row in cold} == {HOSTILE_USER, LONG_USER}
    assert find_people(partitions, NIGHT, "", "heavy", "").people == []
    blind = find_people(partitions, NIGHT, "", "no_pictures", "").people
    assert {row.user_id for row in blind} == {HOSTILE_USER, LONG_USER}
    with pytest.raises(UsageError, match="no slice"):
        find_people(partitions, NIGHT, "", "odd", "")


def test_somebody_at_random_is_somebody_of_the_slice(partitions: Partitions) -> None:
    assert random_person(partitions, NIGHT, "all", random.Random(1)) in EVERYBODY
    assert random_person(partitions, NIGHT, "cold", random.Random(1)) in {HOSTILE_USER, LONG_USER}
    with pytest.raises(UsageError, match="draw again"):
        random_person(partitions, NIGHT, "heavy", random.Random(1))


def test_a_person_has_a_slate_and_a_history_with_titles_and_pictures(partitions: Partitions) -> None:
    shown = person(partitions, NIGHT, USER_IDS[0])
    assert [(p.rank, p.card.item_id) for p in shown.slate] == list(enumerate([*ITEM_IDS[2:5], HOSTILE_ITEM], 1))
    assert [event.card.item_id for event in shown.history] == ["i09", "i06", "i03", "i00"]
    assert (shown.slate[0].card.title, shown.slate[0].card.picture is None) == ("Item i02", False)
    assert (shown.slate[3].card.picture, shown.slate[3].card.reason) == (None, "no_url")
    with pytest.raises(UsageError, match="find people"):
        person(partitions, NIGHT, "nobody")


def test_two_nights_of_a_person_are_marked_against_each_other(partitions: Partitions) -> None:
    now, before = (person(partitions, day, USER_IDS[0]).slate for day in (NIGHT, FIRST))
    assert [place.change for place in with_changes(now, item_ranks(before))] == ["up 2", "up 2", "new", "new"]
    assert [place.card.item_id for place in gone(before, item_ranks(now))] == ["i00", "i01"]


def test_titles_are_those_that_had_landed(partitions: Partitions) -> None:
    assert cards(partitions, FIRST, ["i05"])["i05"].title == "Item i05"
    assert cards(partitions, NIGHT, ["i05", "unheard"])["i05"].title == "New title"
    assert cards(partitions, NIGHT, ["unheard"])["unheard"].title == "(no title)"


def test_items_are_found_by_all_words_of_a_title(partitions: Partitions) -> None:
    assert [card.item_id for card in find_items(partitions, NIGHT, "ITEM i01").items] == ["i01"]
    assert [card.item_id for card in find_items(partitions, NIGHT, "<script> taken").items] == [HOSTILE_ITEM]
    assert find_items(partitions, NIGHT, "nothing like this").items == []
    assert len(find_items(partitions, NIGHT, "").items) == 13


@pytest.mark.parametrize("counted", [False, True])
def test_an_item_says_all_that_is_known_of_it(partitions: Partitions, counted: bool) -> None:
    if counted:
        write_exposure(NIGHT)
    shown = item(partitions, [NIGHT, FIRST], NIGHT, HOSTILE_ITEM)
    assert [(one.night, one.slates, one.mean_rank) for one in shown.exposure] == [(NIGHT, 26, 4.0), (FIRST, 0, None)]
    assert shown.had == 2
    assert [version.landed_on for version in shown.versions] == [FIRST]
    assert (shown.card.reason, shown.attempts[0]["state"]) == ("no_url", "corrupt")
    assert [user for user, _ in shown.shown_to] == EVERYBODY
    assert [card.item_id for _, card in item(partitions, [NIGHT], NIGHT, "i00").similar] == ["i01", HOSTILE_ITEM]
    with pytest.raises(UsageError, match="words of its title"):
        item(partitions, [NIGHT], NIGHT, "unheard")


def test_two_nights_compare_by_what_could_be_shown_again(partitions: Partitions) -> None:
    found = compare_nights(partitions, FIRST, NIGHT)
    assert (found.people, found.of) == (26, 26)
    shares = {moved.card.item_id: (moved.before, moved.now) for moved in found.rose + found.fell}
    assert shares["i04"] == (0.0, 1.0)
    assert shares["i00"][1] == 0.0
    assert sum(found.bins) == 26
    assert {(row.name, row.people) for row in found.slices} == {("all", 26), ("cold", 2), ("no_pictures", 2)}
    # i02 and i03 are shown again, i00 and i01 are not; what someone had by now does not count
    assert found.most_changed[0] == (USER_IDS[2], 1 / 3)  # had i02
    assert dict(found.most_changed)[HOSTILE_USER] == 0.5


def test_a_very_long_id_is_linked_by_its_hash(partitions: Partitions) -> None:
    said = reference(LONG_USER)
    assert len(said) == 71
    assert sources.user_id_of(partitions, NIGHT, said) == LONG_USER
    assert sources.item_id_of(partitions, NIGHT, reference(HOSTILE_ITEM)) == HOSTILE_ITEM
    assert sources.user_id_of(partitions, NIGHT, "sha256:" + "0" * 64) == "sha256:" + "0" * 64
    assert reference("sha256:" + "0" * 64) != "sha256:" + "0" * 64  # an id that looks like a hash


def test_texts_are_cut_and_steer_nothing() -> None:
    assert len(clip(LONG)) == 120
    assert clip("a\u202eb\x1b[2J\nc") == "a b [2J c"
    assert clip("Tom &amp; Jerry") == "Tom & Jerry"


def test_a_night_that_is_not_there_is_a_sentence(lake: Path) -> None:
    nights = sources.published_nights()
    assert sources.choose_night("", nights) == NIGHT
    for text, words in (("2020-01-01", "No night"), ("soon", "no date")):
        with pytest.raises(UsageError, match=words):
            sources.choose_night(text, nights)
    with pytest.raises(UsageError, match="make demo"):
        sources.choose_night("", [])


def test_a_value_with_quotes_is_a_value(partitions: Partitions) -> None:
    query = "SELECT count(*) AS n FROM slates WHERE user_id = $user"
    night = {"slates": Source(RECOMMENDATIONS, NIGHT)}
    assert partitions.rows(query, night, user="' OR 1=1 --") == [{"n": 0}]
    assert partitions.rows(query, night, user=HOSTILE_USER) == [{"n": 4}]


def test_an_empty_lake_has_no_nights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.place(tmp_path, monkeypatch)
    with open_partitions() as opened:
        shown = nights_page(opened, {}, 1, NOW)
        assert shown.nights == []
        assert shown.freshness.is_stale
        assert opened.random_value(Source(RECOMMENDATIONS, NIGHT), "user_id", random.Random()) is None
