"""The identity of code: a module's source and that of everything it imports from this package."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

from recsys_jobs.contracts.settings import ROOT


@cache
def sources_hash(module: str) -> str:
    """sha256 of the source of `module` and of everything it imports from this package."""
    digest = hashlib.sha256()
    for path in sorted(_closure(_path(module))):
        digest.update(path.relative_to(ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _closure(start: Path) -> set[Path]:
    seen: set[Path] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += [found for name in _imports(path) if (found := _find(name))]
    return seen


def _imports(path: Path) -> set[str]:
    """Every module name that the file's imports may mean, at the top or inside a function."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] == "recsys_jobs"}


def _find(name: str) -> Path | None:
    path = _path(name)
    return path if path.is_file() else None


def _path(name: str) -> Path:
    base = ROOT.joinpath(*name.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
