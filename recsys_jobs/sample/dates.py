"""The sample's calendar and default size. Standard library only, so that planning a demo imports it at no cost."""

from __future__ import annotations

from datetime import date, timedelta

START = date(2024, 1, 1)
FIRST_FOLDER = date(2024, 4, 10)  # lands the history of a hundred days at once; daily folders follow
FIRST_NIGHT = date(2024, 4, 29)  # the demo's two nights
SECOND_NIGHT = date(2024, 4, 30)
LAST_DAY = date(2024, 5, 1)  # the world ends with this day

DEFAULT_USERS = 1500

DAYS = (LAST_DAY - START).days + 1
FIRST_FOLDER_DAY = (FIRST_FOLDER - START).days


def day_of(when: date) -> int:
    """The number of a date, START being 0."""
    return (when - START).days


def date_of(day: int) -> date:
    """The date of a day's number."""
    return START + timedelta(days=day)


def folder_day(day: int) -> int:
    """The day in whose dated folder something of `day` lands."""
    return max(day, FIRST_FOLDER_DAY)


def folder_days(until: date) -> range:
    """The days that have a dated folder, up to and with `until`."""
    return range(FIRST_FOLDER_DAY, day_of(until) + 1)
