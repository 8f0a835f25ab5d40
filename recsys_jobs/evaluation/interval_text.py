"""How tables write a value with its interval: `value [low, high]`."""

from __future__ import annotations


def interval_text(value: float, low: float, high: float, sign: str = "") -> str:
    """Return the three numbers to four places; a sign before each where `sign` is "+"."""
    return f"{value:{sign}.4f} [{low:{sign}.4f}, {high:{sign}.4f}]"
