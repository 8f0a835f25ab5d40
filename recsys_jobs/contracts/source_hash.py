"""The identity of code: what a module computes by, with everything that it imports of this package.

It is of the code alone, as Python (whose version is pinned) reads it: comments, docstrings and the layout of lines
change nothing that is computed, and move no hash. Left out, with what they alone import, are

- the modules of this room. What fits or trains takes the errors that it raises from here, and places to write to, but
  no number: settings reach it as data and recipe, each of which is in a fingerprint by its content.
- what chooses code, models/families.py and models/recipes.py. What they chose has a hash of its own; they know every
  family, so that each would be part of all others.
- the recipes of a folder. A recipe is its values, and a fingerprint has every one of them, those of its parts, too;
  what else stands beside it are values of other recipes.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

from recsys_jobs.contracts.settings import ROOT

_PACKAGES = ("recsys_jobs", "spark")
_LEFT_OUT = (
    "recsys_jobs/contracts/*.py",
    "recsys_jobs/models/families.py",
    "recsys_jobs/models/recipes.py",
    "recsys_jobs/models/*/recipe.py",
)
_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@cache
def sources_hash(module: str) -> str:
    """sha256 of the code of `module` and of everything of our own that it imports, but for what is left out."""
    digest = hashlib.sha256()
    for path in sources(module):
        code, _ = _read(path.read_text(encoding="utf-8"))
        digest.update(f"{path.relative_to(ROOT).as_posix()} {code}\n".encode())
    return digest.hexdigest()


def sources(module: str) -> list[Path]:
    """The files whose code `sources_hash` is of, in order."""
    seen: set[Path] = set()
    waiting = [_path(module)]
    while waiting:
        path = waiting.pop()
        if path not in seen and not _is_left_out(path):
            seen.add(path)
            _, imports = _read(path.read_text(encoding="utf-8"))
            waiting += [found for name in imports if (found := _path(name)).is_file()]
    return sorted(seen)


def _is_left_out(path: Path) -> bool:
    return any(path.relative_to(ROOT).match(pattern) for pattern in _LEFT_OUT)


@cache
def _read(source: str) -> tuple[str, frozenset[str]]:
    """sha256 of a source's code, and every module of our own that its imports may mean, wherever they stand."""
    tree = ast.parse(source)
    imports = frozenset(name for name in _imports(tree) if name.split(".")[0] in _PACKAGES)
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), imports


def _imports(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _path(name: str) -> Path:
    base = ROOT.joinpath(*name.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
