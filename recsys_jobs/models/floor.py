"""Which floor a catalogue gets: the recipe in force is judged against it. Standard library only."""

from __future__ import annotations

import logging

from recsys_jobs.settings import Settings

LARGE_FLOOR = "text_knn"
log = logging.getLogger(__name__)


def floor_recipe_name(settings: Settings, items: int) -> str:
    """Return the name of the floor's recipe: the configured one, or the sparse one above `floor_max_items`."""
    if items <= settings.floor_max_items:
        return settings.floor
    log.info(
        "%d items: the floor is %s, for %s would need %.0f GB (floor_max_items is %d)",
        items,
        LARGE_FLOOR,
        settings.floor,
        2.5 * 4 * items**2 / 1e9,
        settings.floor_max_items,
    )
    return LARGE_FLOOR
