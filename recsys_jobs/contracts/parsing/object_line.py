"""One line of a dump as an object: JSON, or a dictionary as Python 2 or 3 prints it.

Numbers that JSON has no word for (NaN, infinities) are None, half of a surrogate pair is U+FFFD: no line is lost, and
nothing that follows breaks, over a value that says nothing.
"""

from __future__ import annotations

import ast
import json
import math
import re
import warnings
from typing import Any

STRING = r"""[uUbB]?(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
_LONG = re.compile(rf"({STRING})|\b(\d+)L\b", re.DOTALL)  # 1393545600L, as Python 2 prints it
_HALF = re.compile("[\ud800-\udfff]")
_NAMES = {"true": True, "false": False} | dict.fromkeys(("nan", "NaN", "NaT", "inf", "Infinity", "null"))
_MOST_DIGITS = 4_000  # Python reads no longer number
_LONGEST_LITERAL = 2_000_000  # characters: its syntax tree takes a hundred times as many bytes
_QUOTED_CHARACTERS = 60  # characters


class LineError(ValueError):
    """A text is no object, or no value; says what stands there instead."""


def read_object(line: str) -> dict[str, Any]:
    """Return the object that a line holds; raises LineError."""
    text = line.lstrip("\ufeff").strip()
    value = read_value(text)
    if not isinstance(value, dict):
        raise LineError(f"{_kind_of(value)}, not one object: {shorten(text)}")
    return value


def read_value(text: str) -> Any:
    """Return what the whole of a text stands for; raises LineError.

    JSON comes first: of what both can read, such as "\\/", it alone says what was meant.
    """
    try:
        value = json.loads(
            text, strict=False, parse_constant=_as_none, parse_float=_finite_float, parse_int=_whole_number
        )
    except json.JSONDecodeError as error:
        return _read_literal(text, f"not JSON: {error.msg} at character {error.pos + 1:,}")
    except RecursionError:
        raise LineError("nested too deep") from None
    return well_formed(value) if "\\u" in text else value


def well_formed(value: Any) -> Any:
    """Return a value whose strings can be written as UTF-8: two halves joined, a half alone replaced."""
    if isinstance(value, str):
        if not _HALF.search(value):
            return value
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [well_formed(part) for part in value]
    if isinstance(value, dict):
        return {well_formed(name): well_formed(part) for name, part in value.items()}
    return value


def shorten(text: str) -> str:
    """Return the start of a text, as a message quotes it."""
    return ascii(text) if len(text) <= _QUOTED_CHARACTERS else f"{ascii(text[:_QUOTED_CHARACTERS])} …"


def _as_none(_: str) -> None:
    return None


def _finite_float(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _whole_number(digits: str) -> int | None:
    return int(digits) if len(digits) <= _MOST_DIGITS else None


def _kind_of(value: Any) -> str:
    names = {list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _read_literal(text: str, message: str) -> Any:
    """The value of a Python literal; nothing in it is called or looked up. LineError `message` where it is none."""
    if len(text) > _LONGEST_LITERAL:
        raise LineError(message)
    try:
        tree = _parse(text) or _parse(_LONG.sub(lambda match: match[1] or match[2], text))
        if tree is None:
            raise LineError(message)
        return _value_of(tree.body, escaped=text.isascii())
    except RecursionError:
        raise LineError("nested too deep") from None


def _parse(text: str) -> ast.Expression | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that Python does not know
            return ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, MemoryError):
        return None


def _value_of(node: ast.expr, escaped: bool) -> Any:
    match node:
        case ast.Dict():
            names = [_name_of(name) for name in node.keys]
            return dict(zip(names, (_value_of(part, escaped) for part in node.values), strict=True))
        case ast.List() | ast.Tuple():
            return [_value_of(part, escaped) for part in node.elts]
        case ast.Constant(value=str()):
            return _text_of(node, escaped)
        case ast.Constant(value=bytes(raw)):
            return raw.decode("utf-8", "replace")
        case ast.Constant(value=float(number)):
            return number if math.isfinite(number) else None
        case ast.Constant(value=int() | None):
            return node.value
        case ast.Name(id=name) if name in _NAMES:
            return _NAMES[name]
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float()) | ast.Name()):
            number = _value_of(node.operand, escaped)
            return None if number is None else -number
    raise LineError(f"a Python literal in which {shorten(ast.unparse(node))} is no plain value")


def _name_of(node: ast.expr | None) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int):
        return well_formed(str(node.value))
    raise LineError("a Python literal with a field whose name is no text")


def _text_of(node: ast.Constant, escaped: bool) -> str:
    """A string's text. Where all that is not ASCII is escaped, Python 2 wrote it: without a u it holds UTF-8 bytes."""
    text = well_formed(node.value)
    if escaped and node.kind is None and not text.isascii():
        try:
            return text.encode("latin-1").decode("utf-8")
        except UnicodeError:
            return text
    return text
