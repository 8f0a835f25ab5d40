"""Text as a person reads it, from text as pages and dumps hold it: entities read, mark-up and page code out."""

from __future__ import annotations

import html
import re

_ENTITY = re.compile(r"&(?:#[0-9]{1,7};|#[xX][0-9a-fA-F]{1,6};|[A-Za-z][A-Za-z0-9]{1,31};|(?:amp|lt|gt|quot)\b)")
_UNSEEN = re.compile(
    r"<(script|style)\b[^<>]*>.*?</\1\s*>|<!--.*?-->|(?://\s*)?<!\[CDATA\[.*?(?://\s*)?\]\]>", re.IGNORECASE | re.DOTALL
)
# A letter must follow the bracket: "a < b" and "I <3 it" are text.
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<![a-zA-Z][^<>]*>")
_CUT_TAG = re.compile(r"<[a-zA-Z][a-zA-Z0-9]*\s+[a-zA-Z-]+\s*=[^<>]*\Z")  # the text ends within it
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_MOST_LAYERS = 5  # of escapes one in another: &amp;amp;amp;

_NAME = r"[A-Za-z_$][\w$]*"
_CODE = [
    rf"\A\s*(?:var|let|const)\s+{_NAME}\s*=",
    r"\A\s*(?:if|for|while|switch|try)\s*[({].*[;}]\s*\Z",
    rf"\bfunction\s*(?:{_NAME}\s*)?\([^()]*\)\s*\{{",
    r"\A\s*\(\s*(?:function\b|\([^()]*\)\s*=>)",
    rf"\b(?:window|document|jQuery)\.{_NAME}(?:\.{_NAME})*\s*(?:\(|=)",
    r"\bP\.(?:when|register|execute|declare)\(",
    r"\$\(\s*(?:document|window|function|['\"][.#])",
    r"\bnew Date\(|\.getTime\(",
    r"\A\s*@(?:media|import|charset|font-face|keyframes)\b",
    r"(?:\A|[\s,;}>])[.#]?[A-Za-z][\w.#:>\s,\[\]=\"'()-]*\{\s*(?:[a-z-]+\s*:[^{};]+;?\s*)*\}",
    r"\A\s*[.#][A-Za-z_-][\w.#\s,:>-]*\{",
]
_PAGE_CODE = re.compile("|".join(f"(?:{pattern})" for pattern in _CODE), re.DOTALL)


def plain_text(raw: str) -> str:
    """Return the one line of text that a page would show; empty where `raw` is mark-up or page code alone.

    Entities are read however often they were escaped, tags and control characters become spaces, runs of white space
    one space. What is plain stays: plain_text(plain_text(x)) == plain_text(x).
    """
    text = raw
    for _ in range(_MOST_LAYERS):
        decoded = _ENTITY.sub(_character, _without_tags(text))
        if decoded == text:
            break
        text = decoded
    text = " ".join(_CONTROL.sub(" ", _without_tags(text)).split())
    return "" if is_page_code(text) else text


def is_page_code(text: str) -> bool:
    """Whether a text is script or style of the page that it was taken from."""
    return ("{" in text or "=" in text or "(" in text or "@" in text) and bool(_PAGE_CODE.search(text))


def _without_tags(text: str) -> str:
    if "<" not in text:
        return text
    return _CUT_TAG.sub(" ", _TAG.sub(" ", _UNSEEN.sub(" ", text)))


def _character(match: re.Match[str]) -> str:
    entity = match[0] if match[0].endswith(";") else f"{match[0]};"
    character = html.unescape(entity)
    return match[0] if character == entity else character
