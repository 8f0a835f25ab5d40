"""The words of the shop: titles, descriptions and reviews.

A title names the kind, often the theme, and for three items in ten the colour or the pattern; a
description tells theme and craft. Reviews mention theme or craft of what they are about, and
expressive people tell what they love. Circles are never mentioned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recsys_jobs.sample.world import COLOURS, CRAFTS, KINDS, PATTERNS, THEMES, Catalogue

THEME_IN_TITLE, CRAFT_IN_TITLE = 0.6, 0.3  # shares of the titles
SELF_CLAUSE, THEME_CLAUSE, CRAFT_CLAUSE = 0.7, 0.4, 0.2  # shares of the reviews
HTML_REVIEW, SHORT_TITLE = 0.04, 0.5

STORES = (
    "Harbor & Pine",
    "Café Lumière",
    "Northwind",
    "Oak Street",
    "Little Fox",
    "Brightside",
    "Maison Élan",
    "Tidewater",
    "Granny's Attic",
    "Garden Door",
    "Fjordhjem",
    "Copper Lane",
)

SCENES = {
    "camping": "nights around the campfire",
    "sailing": "days out on the water",
    "jazz": "evenings with a saxophone record",
    "chess": "long games and late checkmates",
    "gardening": "mornings among the seedlings",
    "astronomy": "clear nights at the telescope",
    "baking": "flour, dough and warm bread",
    "cycling": "long rides and steep climbs",
    "yoga": "slow stretches on the mat",
    "surfing": "salt and the next wave",
    "railways": "steam engines and branch lines",
    "poetry": "verses read aloud by candlelight",
}

CRAFT_SENTENCES = {
    "handmade": "Every piece is handmade in a small workshop.",
    "recycled": "Made from recycled material and nothing else.",
    "organic": "Certified organic from start to finish.",
    "vintage": "A vintage make, as your grandparents knew it.",
    "waterproof": "Fully waterproof, so rain is no trouble.",
    "foldable": "Foldable, and flat in a few seconds.",
    "engraved": "Engraved by hand with fine lines.",
    "heavy-duty": "Heavy-duty, and made to take knocks.",
}

CATEGORIES = {
    "mug": ("Home & Kitchen", "Drinkware", "Mugs"),
    "shirt": ("Clothing", "Tops", "Shirts"),
    "lamp": ("Home & Kitchen", "Lighting", "Lamps"),
    "bag": ("Clothing", "Accessories", "Bags"),
    "chair": ("Home & Kitchen", "Furniture", "Chairs"),
    "cushion": ("Home & Kitchen", "Furnishings", "Cushions"),
    "hat": ("Clothing", "Accessories", "Hats"),
    "clock": ("Home & Kitchen", "Furnishings", "Clocks"),
    "vase": ("Home & Kitchen", "Furnishings", "Vases"),
    "boot": ("Clothing", "Shoes", "Boots"),
    "umbrella": ("Clothing", "Accessories", "Umbrellas"),
    "kite": ("Toys & Games", "Outdoor", "Kites"),
}

PRICES = dict(zip(KINDS, (12, 25, 45, 30, 90, 20, 22, 35, 28, 80, 24, 18), strict=True))  # in dollars, middling

INTROS = (
    "A {kind} for everyone who loves {theme}.",
    "This {kind} was thought up by people who live for {theme}.",
    "For friends of {theme}: a {kind} to keep.",
)
SCENE_SENTENCES = ("Goes well with {scene}.", "It brings to mind {scene}.", "Think of {scene}.")

OPENERS = (
    "I bought this {kind} last month.",
    "Just the {kind} I was after.",
    "The {kind} arrived quickly and well packed.",
    "My second {kind} from this shop.",
    "Got this {kind} as a present.",
    "We use this {kind} every day.",
    "A {kind} like this is hard to find.",
    "The {kind} looks as it does online.",
)
THEME_CLAUSES = ("It suits {theme} very well.", "Fine for anyone into {theme}.", "Made with {theme} in mind.")
CRAFT_CLAUSES = ("Nice that it is {craft}.", "You can tell it is {craft}.")
SELF_CLAUSES = (
    "I live for {theme}.",
    "My weekends are all {theme}.",
    "I love {scene}.",
    "I always look for {craft} things.",
    "Anything {craft} makes me happy.",
    "And {colour} is my colour.",
    "My home is full of {colour} things.",
)
HAPPY = ("Would buy it again.", "Very happy with it.", "Love at first sight.", "Thank you so much!")
MIDDLING = ("It is all right.", "Does what it should.", "Fine for the price.")
UNHAPPY = ("Not what I wanted.", "It went straight back.", "Sadly it broke soon.")
REVIEW_TITLES = ("Just right", "Good {kind}", "As described", "Worth a look", "My {kind}", "So-so", "Well made")


@dataclass(frozen=True)
class Words:
    """The attributes of an item, or of what a person loves, by name."""

    kind: str
    colour: str
    pattern: str
    theme: str
    craft: str


def item_words(catalogue: Catalogue, item: int) -> Words:
    """The item's attributes by name."""
    return Words(
        KINDS[catalogue.kind_I[item]],
        COLOURS[catalogue.colour_I[item]],
        PATTERNS[catalogue.pattern_I[item]],
        THEMES[catalogue.theme_I[item]],
        CRAFTS[catalogue.craft_I[item]],
    )


def choose(options: Sequence[str], draw: float) -> str:
    """The option at a uniform draw from [0, 1)."""
    return options[int(draw * len(options))]


def store(draw: float) -> str:
    """A shop's brand; brands say nothing of tastes."""
    return choose(STORES, draw)


def title(words: Words, colour_named: bool, pattern_named: bool, wording: Sequence[float]) -> str:
    """An item's title, such as "Oak Street Blue Striped Camping Mug"; `wording`: three uniform draws."""
    parts = [
        store(wording[0]),
        words.colour if colour_named else "",
        words.pattern if pattern_named else "",
        words.craft if wording[1] < CRAFT_IN_TITLE else "",
        words.theme if wording[2] < THEME_IN_TITLE else "",
        words.kind,
    ]
    return " ".join(part if part is parts[0] else part.title() for part in parts if part)


def description(words: Words, html: bool, wording: Sequence[float]) -> list[str]:
    """An item's description, a sentence an entry, or all in one with markup; `wording`: two uniform draws."""
    scene = SCENES[words.theme]
    sentences = [
        choose(INTROS, wording[0]).format(kind=words.kind, theme=words.theme),
        CRAFT_SENTENCES[words.craft],
        choose(SCENE_SENTENCES, wording[1]).format(scene=scene),
    ]
    if not html:
        return sentences
    return [f"<p><b>{sentences[0]}</b></p><ul><li>{sentences[1]}</li><li>{sentences[2]} Gift &amp; keep&#33;</li></ul>"]


def review_title(kind: str, draw: float) -> str:
    """The headline of a review."""
    return choose(REVIEW_TITLES, draw).format(kind=kind)


def review(words: Words, loves: Words | None, rating: int, wording: Sequence[float]) -> str:
    """A review of 8 to 25 words; `loves` is None for people who do not write of it; `wording`: eight draws."""
    sentences = [choose(OPENERS, wording[0]).format(kind=words.kind)]
    if wording[1] < THEME_CLAUSE:
        sentences.append(choose(THEME_CLAUSES, wording[2]).format(theme=words.theme))
    elif wording[1] < THEME_CLAUSE + CRAFT_CLAUSE:
        sentences.append(choose(CRAFT_CLAUSES, wording[2]).format(craft=words.craft))
    if loves and wording[3] < SELF_CLAUSE:
        clause = choose(SELF_CLAUSES, wording[4])
        scene = SCENES[loves.theme]
        sentences.append(clause.format(theme=loves.theme, scene=scene, craft=loves.craft, colour=loves.colour))
    closers = HAPPY if rating >= 4 else MIDDLING if rating == 3 else UNHAPPY
    sentences.append(choose(closers, wording[5]))
    if wording[6] < HTML_REVIEW:
        return "<br /><br />".join(sentences) + " Me &amp; mine say &#34;thanks&#34;."
    return " ".join(sentences)


def as_update(text: str) -> str:
    """The same review as its author wrote it the second time."""
    return f"Update: {text}"
