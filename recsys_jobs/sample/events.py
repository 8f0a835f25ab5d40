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
    found = item_E >= 0
    person_E, time_E, item_E = person_E[found], time_E[found], item_E[found]
    return _with_oddities(
        Events(
            person_E,
            item_E,
            time_E,
            _ratings(catalogue, people, person_E, item_E, rng),
            np.full(len(item_E), PLAIN),
            rng.random((len(item_E), WORDINGS)),
        ),
        rng,
    )


def _times(joined_E: Floats, person_E: Ints, rng: np.random.Generator) -> Ints:
    """Uniform times after joining, sorted for each person; some repeat the one before."""
    days = joined_E + (DAYS - joined_E) * rng.random(len(joined_E))
    time_E = START_MS + np.minimum((days * DAY_MS).astype(np.int64), DAYS * DAY_MS - 1)
    time_E = time_E[np.lexsort((time_E, person_E))]
    own_E = np.ones(len(time_E), dtype=bool)  # has a time of its own
    own_E[1:] = (person_E[1:] != person_E[:-1]) | (rng.random(max(0, len(time_E) - 1)) >= SAME_INSTANT)
    return time_E[np.maximum.accumulate(np.where(own_E, np.arange(len(time_E)), 0))]


def weights_UI(catalogue: Catalogue, people: People) -> Floats:
    """Popularity × tastes: how likely each person is to pick each item, up to a factor."""
    seen = _odds(people.colour_U2, len(COLOURS), COLOUR_ODDS), _odds(people.pattern_U1, len(PATTERNS), PATTERN_ODDS)
    read = _odds(people.theme_U2, len(THEMES), THEME_ODDS), _odds(people.craft_U1, len(CRAFTS), CRAFT_ODDS)
    weights = catalogue.popularity_I * _odds(people.kind_U2, len(KINDS), KIND_ODDS)[:, catalogue.kind_I]
    # two attributes in one look-up: half the passes over the largest array of the world
    weights *= _pairs(*seen)[:, catalogue.colour_I * len(PATTERNS) + catalogue.pattern_I]
    weights *= _pairs(*read)[:, catalogue.theme_I * len(CRAFTS) + catalogue.craft_I]
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
    steps = np.cumsum(weights_UI, axis=1)
    steps /= steps[:, -1:]
    steps += np.arange(len(steps))[:, None]  # rows in one ascending line: one search for all people
    line, count = steps.ravel(), len(catalogue)
    item_E = np.full(len(person_E), -1)
    for _ in range(ROUNDS):
        waiting = np.flatnonzero(item_E < 0)
        if not len(waiting):
            break
        found = np.searchsorted(line, person_E[waiting] + rng.random(len(waiting)), side="right")
        drawn = np.clip(found - person_E[waiting] * count, 0, count - 1)
        fresh = _fresh(person_E, item_E, waiting, drawn, count) & _on_sale(catalogue, drawn, day_E[waiting])
        item_E[waiting[fresh]] = drawn[fresh]
    return item_E


def _on_sale(catalogue: Catalogue, item: Ints, day: Ints) -> Bools:
    return (catalogue.sale_I[item] <= day) & (day < catalogue.end_I[item])


def _fresh(person_E: Ints, item_E: Ints, waiting: Ints, drawn: Ints, count: int) -> Bools:
    """Which of the draws give the person an item that it has not, nor draws earlier in this round."""
    pairs = person_E[waiting] * count + drawn
    taken = (person_E * count + item_E)[item_E >= 0]
    first = np.zeros(len(waiting), dtype=bool)
    first[np.unique(pairs, return_index=True)[1]] = True
    return first & ~np.isin(pairs, taken)


def _ratings(catalogue: Catalogue, people: People, person_E: Ints, item_E: Ints, rng: np.random.Generator) -> Ints:
    """Stars: better where the item's theme or colour is loved, as generous as real shops' are."""
    theme = (people.theme_U2[person_E] == catalogue.theme_I[item_E, None]).any(axis=1)
    colour = (people.colour_U2[person_E] == catalogue.colour_I[item_E, None]).any(axis=1)
    stars = 4.0 + 0.4 * theme + 0.4 * colour + rng.standard_normal(len(item_E))
    return np.clip(np.rint(stars), 1, 5).astype(np.int64)


def _with_oddities(plain: Events, rng: np.random.Generator) -> Events:
    """The events, and after them the planted companions of some.

    DUPLICATE repeats an event's row to the letter, RETOLD has its key and another text,
    AGAIN is the same person on the same item at a later time.
    """
    luck = rng.random((3, len(plain)))
    shares = (DUPLICATE, RETOLD, AGAIN)
    chosen = [np.flatnonzero(row < share) for row, share in zip(luck, shares, strict=True)]
    rows = np.concatenate([np.arange(len(plain)), *chosen])
    role_E = np.repeat([PLAIN, IS_DUPLICATE, IS_RETOLD, IS_AGAIN], [len(plain), *map(len, chosen)])
    later = role_E == IS_AGAIN
    time_E, wording_EW = plain.time_E[rows], plain.wording_EW[rows]
    left = START_MS + DAYS * DAY_MS - 1 - time_E[later]
    time_E[later] += (left * rng.random(later.sum())).astype(np.int64)
    wording_EW[later] = rng.random((later.sum(), WORDINGS))
    return Events(plain.person_E[rows], plain.item_E[rows], time_E, plain.rating_E[rows], role_E, wording_EW)
