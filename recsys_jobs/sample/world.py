"""The invented shop: what items are, how they come and go, and what people love.

An item has a kind, which its title names and its photo shows, and five further attributes:

    theme, craft      in its text alone (title, description; its reviews mention them now and then)
    colour, pattern   in its photo; its title names each of them for three items in ten only
    circle            nowhere to be read: it shows only in who reviews what

A person loves some value or two of each, and picks an item that is on sale with

    probability ∝ popularity × Π over the attributes: (odds if the item's value is loved, else 1)

which is a softmax over popularity and tastes. How much a taste tells about a pick is its
Kullback–Leibler divergence from indifference, with m loved of n values at odds b:
p = m·b / (m·b + n − m), bits = p·log2(p·n/m) + (1−p)·log2((1−p)·n/(n−m)).

    text    theme  2 of 12 at 6: 0.53 bits     craft    1 of 8 at 4: 0.27 bits    together 0.80
    photo   colour 2 of 8  at 6: 0.55 bits     pattern  1 of 6 at 4: 0.30 bits    together 0.86
    graph   circle 1 of 20 at 12: 0.75 bits
    both    kind   2 of 12 at 3: 0.18 bits

So the three sources weigh the same, to within a seventh, and a model that lacks one has lost about
a third of what there is to know beside popularity. Popularity falls as (rank + 10)^-0.8: Zipf's law
with a flattened head, as real catalogues have it, so that the most popular of 600 items holds one
event in a hundred. (Nobody picks an item twice and not all is on sale, so in a finite shop the
shares of loved values come out somewhat lower than p.)

The constants were fixed by this reasoning, before any model saw the sample, and are never to be
tuned to one: that would prove nothing.

Suffixes: U people of a block, I items, E events.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recsys_jobs.sample.dates import DAYS, DEFAULT_USERS, FIRST_FOLDER_DAY

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

KINDS = ("mug", "shirt", "lamp", "bag", "chair", "cushion", "hat", "clock", "vase", "boot", "umbrella", "kite")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "black")
PATTERNS = ("plain", "striped", "dotted", "checked", "zigzag", "starry")
THEMES = (
    "camping",
    "sailing",
    "jazz",
    "chess",
    "gardening",
    "astronomy",
    "baking",
    "cycling",
    "yoga",
    "surfing",
    "railways",
    "poetry",
)
CRAFTS = ("handmade", "recycled", "organic", "vintage", "waterproof", "foldable", "engraved", "heavy-duty")
CIRCLES = 20

KIND_ODDS, THEME_ODDS, COLOUR_ODDS = 3.0, 6.0, 6.0  # two values of each are loved
CRAFT_ODDS, PATTERN_ODDS, CIRCLE_ODDS = 4.0, 4.0, 12.0  # one value of each

# the catalogue
DEFAULT_ITEMS, FEWEST_ITEMS = 600, 60
POPULARITY_SHIFT, POPULARITY_EXPONENT = 10, -0.8
ON_SALE_AT_START = 0.6  # of the items; the others launch on any later day
WITHDRAWN = 0.2  # of the items leave for good,
SHORTEST_SALE = 20  # days after their launch at the earliest
NEVER_PICKED, NEVER_PICKED_DAYS = 0.02, 14  # listed in the last days, on sale only after the world's end
NAMED = 0.3  # of the titles name the colour; as many, independently, the pattern
NO_DESCRIPTION, NO_PHOTO, EDITED, HTML_DESCRIPTION = 0.10, 0.05, 0.04, 0.10
WORDINGS = 8  # uniform draws an item has for the choice of its words

# the people
BLOCK = 256  # people made at a time: bounds memory at BLOCK × items
THERE_AT_START = 0.6  # of the people; the others join at any later moment
ACTIVITY_MEDIAN, ACTIVITY_SIGMA, MOST_EVENTS = 6.0, 0.85, 100  # log-normal: about 8 events a person
EXPRESSIVE = 0.6  # of the people tell in their reviews what they love

_ITEMS, _PEOPLE = 1, 2  # separate streams of random numbers


@dataclass(frozen=True)
class Catalogue:
    """Every item of the world; attributes are positions in the tuples above, days count from START."""

    kind_I: Ints
    colour_I: Ints
    pattern_I: Ints
    theme_I: Ints
    craft_I: Ints
    circle_I: Ints
    popularity_I: Floats  # sums to 1
    launch_I: Ints  # day on which the item is listed
    sale_I: Ints  # first day on which it can be picked; DAYS for one that never is
    end_I: Ints  # first day on which it is no longer on sale
    edit_I: Ints  # day on which its title is edited; -1 for never
    described_I: Bools
    photographed_I: Bools
    html_I: Bools
    colour_named_I: Bools
    pattern_named_I: Bools
    wording_IW: Floats

    def __len__(self) -> int:
        return len(self.kind_I)


@dataclass(frozen=True)
class People:
    """A block of people: `first` is the number of its first; loves are positions in the tuples above."""

    first: int
    kind_U2: Ints
    colour_U2: Ints
    theme_U2: Ints
    pattern_U1: Ints
    craft_U1: Ints
    circle_U: Ints
    joined_U: Floats  # in days from START
    events_U: Ints  # reviews the person is about to write
    expressive_U: Bools

    def __len__(self) -> int:
        return len(self.circle_U)


def stream(seed: int, *name: int) -> np.random.Generator:
    """An independent random generator for a seed and a name made of numbers."""
    return np.random.default_rng([seed, *name])


def item_count(users: int) -> int:
    """Items of a shop for so many people: 600 at the default size, growing with the square root."""
    return max(FEWEST_ITEMS, round(DEFAULT_ITEMS * (users / DEFAULT_USERS) ** 0.5))


def catalogue(users: int, seed: int) -> Catalogue:
    """The items of the world of that size and seed."""
    rng, count = stream(seed, _ITEMS), item_count(users)
    share = (rng.permutation(count) + 1.0 + POPULARITY_SHIFT) ** POPULARITY_EXPONENT
    launch, sale, end = _sale_periods(rng, count)
    return Catalogue(
        kind_I=rng.integers(len(KINDS), size=count),
        colour_I=rng.integers(len(COLOURS), size=count),
        pattern_I=rng.integers(len(PATTERNS), size=count),
        theme_I=rng.integers(len(THEMES), size=count),
        craft_I=rng.integers(len(CRAFTS), size=count),
        circle_I=rng.integers(CIRCLES, size=count),
        popularity_I=share / share.sum(),
        launch_I=launch,
        sale_I=sale,
        end_I=end,
        edit_I=_edit_days(rng, launch),
        described_I=rng.random(count) >= NO_DESCRIPTION,
        photographed_I=rng.random(count) >= NO_PHOTO,
        html_I=rng.random(count) < HTML_DESCRIPTION,
        colour_named_I=rng.random(count) < NAMED,
        pattern_named_I=rng.random(count) < NAMED,
        wording_IW=rng.random((count, WORDINGS)),
    )


def _sale_periods(rng: np.random.Generator, count: int) -> tuple[Ints, Ints, Ints]:
    """Launch, first day of sale and first day off sale of each item."""
    launch = np.where(rng.random(count) < ON_SALE_AT_START, 0, rng.integers(1, DAYS, size=count))
    end = np.where(rng.random(count) < WITHDRAWN, launch + SHORTEST_SALE + rng.integers(DAYS, size=count), DAYS)
    unreleased = rng.permutation(count)[: max(1, round(count * NEVER_PICKED))]
    launch[unreleased] = DAYS - NEVER_PICKED_DAYS + np.arange(len(unreleased)) % NEVER_PICKED_DAYS
    sale, end[unreleased] = launch.copy(), DAYS
    sale[unreleased] = DAYS
    return launch, sale, end


def _edit_days(rng: np.random.Generator, launch_I: Ints) -> Ints:
    """The day of each item's edited title, in the time of daily folders and after its launch; or -1."""
    day = rng.integers(FIRST_FOLDER_DAY + 1, DAYS, size=len(launch_I))
    edited = rng.random(len(launch_I)) < EDITED
    return np.where(edited & (day > launch_I), day, -1)


def people(block: int, users: int, seed: int) -> tuple[People, np.random.Generator]:
    """The block's people, and the generator from which their events are to be drawn."""
    first = block * BLOCK
    rng, count = stream(seed, _PEOPLE, block), min(BLOCK, users - first)
    joined = np.where(rng.random(count) < THERE_AT_START, 0.0, rng.random(count) * DAYS)
    activity = ACTIVITY_MEDIAN * np.exp(ACTIVITY_SIGMA * rng.standard_normal(count))
    block_of_people = People(
        first=first,
        kind_U2=_draw_tastes(rng, count, len(KINDS), 2),
        colour_U2=_draw_tastes(rng, count, len(COLOURS), 2),
        theme_U2=_draw_tastes(rng, count, len(THEMES), 2),
        pattern_U1=_draw_tastes(rng, count, len(PATTERNS), 1),
        craft_U1=_draw_tastes(rng, count, len(CRAFTS), 1),
        circle_U=rng.integers(CIRCLES, size=count),
        joined_U=joined,
        # whoever joins late has less time to write: the shop's days stay about equally busy
        events_U=np.minimum(1 + rng.poisson(activity * (1 - joined / DAYS)), MOST_EVENTS),
        expressive_U=rng.random(count) < EXPRESSIVE,
    )
    return block_of_people, rng


def _draw_tastes(rng: np.random.Generator, count: int, values: int, loved: int) -> Ints:
    """`loved` distinct values of `values` for each of `count` people."""
    return rng.random((count, values)).argsort(axis=1)[:, :loved]
