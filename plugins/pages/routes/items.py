"""Items: found by words of a title, and one of them."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from plugins.pages.rendering import render
from recsys_jobs.lake.partitions import open_partitions
from recsys_jobs.pages.items import find_items, item
from recsys_jobs.pages.sources import choose_night, item_id_of, published_nights, user_id_of

router = APIRouter()


@router.get("/items")
def items(request: Request, q: str = "", night: str = "", after: str = "") -> Response:
    """Items whose title has the words."""
    nights = published_nights()
    day = choose_night(night, nights)
    with open_partitions() as partitions:
        found = find_items(partitions, day, q.strip(), item_id_of(partitions, day, after))
    return render(request, "items.html", title="Items", found=found, night=day, nights=nights, q=q.strip(), after=after)


@router.get("/item")
def one(request: Request, id: str, night: str = "", after: str = "") -> Response:
    """Everything that the lake knows of an item."""
    nights = published_nights()
    day = choose_night(night, nights)
    with open_partitions() as partitions:
        start = user_id_of(partitions, day, after)
        shown = item(partitions, nights, day, item_id_of(partitions, day, id), start)
    return render(request, "item.html", title="Item", item=shown, nights=nights, after=after)
