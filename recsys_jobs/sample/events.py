"""Who reviews what and when: the choice model of `world`, and the oddities planted among the events.

Suffixes: U people of a block, I items, E events, V values of an attribute.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from recsys_jobs.sample.dates import DAYS, START, folder_day
from recsys_jobs.sample.world import (
    CIRCLE_ODDS,
    CIRCLES,
    COLOUR_ODDS,
    COLOURS,
    CRAFT_ODDS,
    CRAFTS,
    KIND_ODDS,
    KINDS,
    PATTERN_ODDS,
    PATTERNS,
    THEME_ODDS,
    THEMES,
    Bools,
    Catalogue,
    Floats,
    Ints,
    People,
)

DAY_MS = 86_400_000
START_MS = (START - date(1970, 1, 1)).days * DAY_MS
SAME_INSTANT = 0.2  # of the events carry the timestamp of the same person's event before
DUPLICATE, RETOLD, AGAIN = 0.010, 0.005, 0.010  # shares of the events that have such a companion
WORDINGS = 10  # uniform draws an event has for the choice of its words
ROUNDS = 60  # draws an event may need to find an item on sale that its person does not have yet

PLAIN, IS_DUPLICATE, IS_RETOLD, IS_AGAIN = range(4)


@dataclass(frozen=True)
class Events:
    """Reviews of one block of people, in the order in which they are written down."""

    person_E: Ints  # position in the block
    item_E: Ints
    time_E: Ints  # ms since 1970, UTC
    rating_E: Ints  # stars, 1 to 5
    role_E: Ints  # PLAIN, or what oddity the row is
    wording_EW: Floats

    def __len__(self) -> int:
        return len(self.person_E)


def day_E(time_E: Ints) -> Ints:
    """The day of each time, START being 0."""
    return (time_E - START_MS) // DAY_MS


def folder_E(events: Events) -> Ints:
    """The day in whose folder each event lands."""
    return np.maximum(day_E(events.time_E), folder_day(0))


def events(catalogue: Catalogue, people: People, rng: np.random.Generator) -> Events:
    """All the events of the block's people over the whole of the world's time."""
    cap = max(1, len(catalogue) // 4)  # in a tiny shop the keenest would run out of items
    person_E = np.repeat(np.arange(len(people)), np.minimum(people.events_U, cap))
    time_E = _times(people.joined_U[person_E], person_E, rng)
    item_E = _picks(catalogue, weights_UI(catalogue, people), person_E, day_E(time_E), rng)
    is_placed_E = item_E >= 0
    person_E = person_E[is_placed_E]
    time_E = time_E[is_placed_E]
    item_E = item_E[is_placed_E]
    rating_E = _ratings(catalogue, people, person_E, item_E, rng)
    role_E = np.full(len(item_E), PLAIN)
    wording_EW = rng.random((len(item_E), WORDINGS))
    return _with_oddities(Events(person_E, item_E, time_E, rating_E, role_E, wording_EW), rng)


def _times(joined_E: Floats, person_E: Ints, rng: np.random.Generator) -> Ints:
    """Uniform times after joining, sorted for each person; some repeat the one before."""
    days_E = joined_E + (DAYS - joined_E) * rng.random(len(joined_E))
    offset_E = (days_E * DAY_MS).astype(np.int64)
    time_E = START_MS + np.minimum(offset_E, DAYS * DAY_MS - 1)
    time_E = time_E[np.lexsort((time_E, person_E))]
    draws = rng.random(max(0, len(time_E) - 1))
    has_own_time_E = np.ones(len(time_E), dtype=bool)
    has_own_time_E[1:] = (person_E[1:] != person_E[:-1]) | (draws >= SAME_INSTANT)
    source_E = np.where(has_own_time_E, np.arange(len(time_E)), 0)
    return time_E[np.maximum.accumulate(source_E)]


def weights_UI(catalogue: Catalogue, people: People) -> Floats:
    """Popularity × tastes: how likely each person is to pick each item, up to a factor."""
    kind = _odds(people.kind_U2, len(KINDS), KIND_ODDS)
    colour = _odds(people.colour_U2, len(COLOURS), COLOUR_ODDS)
    pattern = _odds(people.pattern_U1, len(PATTERNS), PATTERN_ODDS)
    theme = _odds(people.theme_U2, len(THEMES), THEME_ODDS)
    craft = _odds(people.craft_U1, len(CRAFTS), CRAFT_ODDS)
    weights = catalogue.popularity_I * kind[:, catalogue.kind_I]
    # two attributes in one look-up: half the passes over the largest array of the world
    look_I = catalogue.colour_I * len(PATTERNS) + catalogue.pattern_I
    weights *= _pairs(colour, pattern)[:, look_I]
    words_I = catalogue.theme_I * len(CRAFTS) + catalogue.craft_I
    weights *= _pairs(theme, craft)[:, words_I]
    members = [np.flatnonzero(catalogue.circle_I == circle) for circle in range(CIRCLES)]
    for person, circle in enumerate(people.circle_U):
        weights[person, members[circle]] *= CIRCLE_ODDS
    return weights


def _odds(loved: Ints, values: int, odds: float) -> Floats:
    """The factor [U, V] of each value for each person."""
    table = np.ones((len(loved), values))
    np.put_along_axis(table, loved, odds, axis=1)
    return table


def _pairs(left_UV: Floats, right_UW: Floats) -> Floats:
    """The products [U, V·W] of every value of one attribute and every value of another."""
    return (left_UV[:, :, None] * right_UW[:, None, :]).reshape(len(left_UV), -1)


def _picks(catalogue: Catalogue, weights_UI: Floats, person_E: Ints, day_E: Ints, rng: np.random.Generator) -> Ints:
    """An item for each event, or -1 where none was found.

    Drawn by inverting the person's cumulative weights; a draw of an item that is not on sale that
    day, or that the person has already, is thrown away and drawn again, which leaves exactly the
    softmax over what is on sale and new to the person.
    """
    cumulative_UI = np.cumsum(weights_UI, axis=1)
    cumulative_UI /= cumulative_UI[:, -1:]
    cumulative_UI += np.arange(len(cumulative_UI))[:, None]  # rows in one ascending line: one search for all people
    cumulative_line = cumulative_UI.ravel()
    count = len(catalogue)
    item_E = np.full(len(person_E), -1)
    for _ in range(ROUNDS):
        pending = np.flatnonzero(item_E < 0)
        if not len(pending):
            break
        person = person_E[pending]
        hits = np.searchsorted(cumulative_line, person + rng.random(len(pending)), side="right")
        drawn = np.clip(hits - person * count, 0, count - 1)
        is_valid = _is_new(person_E, item_E, pending, drawn, count)
        is_valid &= _on_sale(catalogue, drawn, day_E[pending])
        item_E[pending[is_valid]] = drawn[is_valid]
    return item_E


def _on_sale(catalogue: Catalogue, item: Ints, day: Ints) -> Bools:
    return (catalogue.sale_I[item] <= day) & (day < catalogue.end_I[item])


def _is_new(person_E: Ints, item_E: Ints, pending: Ints, drawn: Ints, count: int) -> Bools:
    """Which of the draws give the person an item that it has not, nor draws earlier in this round."""
    pairs = person_E[pending] * count + drawn
    all_pairs = person_E * count + item_E
    taken = all_pairs[item_E >= 0]
    _, first_positions = np.unique(pairs, return_index=True)
    is_first = np.zeros(len(pending), dtype=bool)
    is_first[first_positions] = True
    return is_first & ~np.isin(pairs, taken)


def _ratings(catalogue: Catalogue, people: People, person_E: Ints, item_E: Ints, rng: np.random.Generator) -> Ints:
    """Stars: better where the item's theme or colour is loved, as generous as real shops' are."""
    loved_themes_E2 = people.theme_U2[person_E]
    loved_colours_E2 = people.colour_U2[person_E]
    theme = (loved_themes_E2 == catalogue.theme_I[item_E, None]).any(axis=1)
    colour = (loved_colours_E2 == catalogue.colour_I[item_E, None]).any(axis=1)
    stars = 4.0 + 0.4 * theme + 0.4 * colour + rng.standard_normal(len(item_E))
    return np.clip(np.rint(stars), 1, 5).astype(np.int64)


def _with_oddities(plain: Events, rng: np.random.Generator) -> Events:
    """The events, and after them the planted companions of some.

    DUPLICATE repeats an event's row to the letter, RETOLD has its key and another text,
    AGAIN is the same person on the same item at a later time.
    """
    draws = rng.random((3, len(plain)))
    shares = (DUPLICATE, RETOLD, AGAIN)
    chosen = [np.flatnonzero(row < share) for row, share in zip(draws, shares, strict=True)]
    rows = np.concatenate([np.arange(len(plain)), *chosen])
    role_E = np.repeat([PLAIN, IS_DUPLICATE, IS_RETOLD, IS_AGAIN], [len(plain), *map(len, chosen)])
    is_later = role_E == IS_AGAIN
    later_count = is_later.sum()
    time_E = plain.time_E[rows]
    remaining = START_MS + DAYS * DAY_MS - 1 - time_E[is_later]
    time_E[is_later] += (remaining * rng.random(later_count)).astype(np.int64)
    wording_EW = plain.wording_EW[rows]
    wording_EW[is_later] = rng.random((later_count, WORDINGS))
    return Events(plain.person_E[rows], plain.item_E[rows], time_E, plain.rating_E[rows], role_E, wording_EW)
