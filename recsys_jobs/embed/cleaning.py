"""The text encoders' preprocessing: markup out, entities read, white space single. Standard library only."""

from __future__ import annotations

import html
import re

# Part of every text encoder's name: raise it with any change below, and the old vectors stay valid for the old name.
VERSION = 1

MAX_CHARACTERS = 20_000  # of raw text; far beyond what any encoder here reads, and keeps a 50 MB review cheap

_UNSEEN = re.compile(r"<(script|style)\b[^<>]*>.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
# A letter must follow the bracket: "a < b" and "I <3 it" are text.
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<![a-zA-Z][^<>]*>")


def clean(raw: str) -> str:
    """Return the text a reader would see; the empty string where `raw` holds markup alone.

    Tags become spaces before and after entities are read, because dumps also hold tags as `&lt;br&gt;`.
    """
    text = _without_tags(raw[:MAX_CHARACTERS])
    return " ".join(_without_tags(html.unescape(text)).split())


def _without_tags(text: str) -> str:
    return _TAG.sub(" ", _UNSEEN.sub(" ", text))
