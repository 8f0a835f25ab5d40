"""Items of three dumps, and of what tools make of them, in one shape: each field from the line as it was landed."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from spark.item_fields import item_columns, item_json, review_json

NOTHING: dict[str, Any] = {"title": None, "description": None, "brand": None, "categories": [], "price": None}
NO_LINKS: dict[str, Any] = {"image_urls": [], "also_bought": [], "also_viewed": [], "bought_together": []}


def columns(line: str) -> dict[str, Any]:
    """What differs from an item of which nothing is known."""
    made = json.loads(str(item_json(line)))
    return {name: value for name, value in made.items() if value != (NOTHING | NO_LINKS).get(name, ...)}


def test_2014() -> None:
    line = (
        "{'asin': 'B1', 'title': \"Don't\", 'price': 9.49, 'imUrl': 'http://x/1.jpg', 'brand': ' Acme ', "
        "'categories': [['Music', 'Pop'], ['Music', 'Rock &amp; Roll']], 'description': 'Loud', "
        "'salesRank': {'Music': 3}, "
        "'related': {'also_bought': ['B2', 'B3', 'B2'], 'bought_together': ['B4'], 'buy_after_viewing': ['B5']}}"
    )
    assert columns(line) == {
        "item_id": "B1",
        "title": "Don't",
        "description": "Loud",
        "brand": "Acme",
        "categories": ["Music", "Pop", "Rock & Roll"],
        "price": 9.49,
        "image_urls": ["http://x/1.jpg"],
        "also_bought": ["B2", "B3"],
        "bought_together": ["B4"],
    }


ITEM_2018: dict[str, Any] = {
    "asin": "B1",
    "title": "Card",
    "description": ["One", "", "Two"],
    "category": ["Gifts", "Cards"],
    "also_buy": ["B2", "B3"],
    "also_view": ["B4"],
    "imageURLHighRes": ["http://x/1.jpg", "http://x/2.jpg"],
    "imageURL": ["http://x/s.jpg"],
    "price": "$1,250.00",
}
READ_2018 = {
    "item_id": "B1",
    "title": "Card",
    "description": "One\nTwo",
    "categories": ["Gifts", "Cards"],
    "price": 1250.0,
    "image_urls": ["http://x/1.jpg", "http://x/2.jpg", "http://x/s.jpg"],
    "also_bought": ["B2", "B3"],
    "also_viewed": ["B4"],
}


def test_2018() -> None:
    assert columns(json.dumps(ITEM_2018)) == READ_2018


@pytest.mark.parametrize("write", [str, json.dumps])
def test_2018_that_went_through_a_csv(write: Any) -> None:
    """Each list came out of the CSV as a text."""
    file = io.StringIO()
    csv.writer(file).writerow([write(value) if isinstance(value, list) else value for value in ITEM_2018.values()])
    (cells,) = csv.reader(io.StringIO(file.getvalue()))
    assert columns(json.dumps(dict(zip(ITEM_2018, cells, strict=True)))) == READ_2018


def test_2023_with_videos_and_columns_of_images() -> None:
    item = {
        "parent_asin": "B1", "title": "Clip", "store": "Salt &amp; Sons", "price": "None", "description": [],
        "images": {"hi_res": [None, "http://x/h"], "large": ["http://x/l", None], "thumb": ["http://x/t", "http://x/u"]},
        "videos": {"title": ["x"], "url": ["http://x/v"], "user_id": ["A1"]}, "details": '{"Brand": "x"}',
    }  # fmt: skip
    assert columns(json.dumps(item)) == {
        "item_id": "B1",
        "title": "Clip",
        "brand": "Salt & Sons",
        "image_urls": ["http://x/l", "http://x/h"],
    }


def test_what_is_not_a_number_is_nothing_and_costs_no_line() -> None:
    line = '{"parent_asin": "B1", "title": NaN, "store": NaN, "price": NaN, "average_rating": NaN, "images": NaN}'
    assert columns(line) == {"item_id": "B1"}


def test_page_code_is_neither_title_nor_description_nor_price() -> None:
    item = {
        "asin": "B1",
        "title": "var aPageStart = (new Date()).getTime();",
        "description": ["Sound", ".a{color:red}", "<b>Bold</b> stays as it is"],
        "price": ".a-box-inner{background-color:#fff}",
    }
    assert columns(json.dumps(item)) == {"item_id": "B1", "description": "Sound\n<b>Bold</b> stays as it is"}


@pytest.mark.parametrize(
    "description", ["[2006] remastered", '["Deluxe"] box', "[] nothing", "[1, 2] and", "[New] one"]
)
@pytest.mark.parametrize("write", [json.dumps, repr])
def test_a_description_that_begins_like_a_list_is_whole(description: str, write: Any) -> None:
    assert item_columns({"asin": "B1", "description": description})["description"] == description
    assert columns(write({"asin": "B1", "description": description}))["description"] == description


def test_the_id_is_left_to_the_judge() -> None:
    """A number has lost its zeros: Spark's side says so, and must see it."""
    assert columns('{"asin": 12345}') == {"item_id": 12345}
    assert columns('{"parent_asin": null, "asin": "B1"}') == {"item_id": "B1"}
    assert columns('{"title": "no id"}') == {"item_id": None, "title": "no id"}


def test_a_review_keeps_its_fields_and_loses_the_rest() -> None:
    line = "{u'reviewerID': u'A1', u'asin': u'B1', u'overall': 5.0, u'reviewText': u'Caf\\xe9', u'helpful': [0L, 1L]}"
    expected = {"reviewerID": "A1", "asin": "B1", "overall": 5.0, "reviewText": "Café"}
    assert json.loads(str(review_json(line))) == expected
    assert json.loads(str(review_json('{"user_id": "A1", "rating": 4, "vote": NaN}'))) == {"user_id": "A1", "rating": 4}


def test_what_is_no_object_is_nothing() -> None:
    assert item_json("[1]") is review_json("[1]") is item_json("{") is None
