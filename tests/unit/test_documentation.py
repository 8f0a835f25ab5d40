"""What README and docs name in the repository must be there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from recsys_jobs.contracts.settings import ROOT

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)")
SOURCE = re.compile(r"`((?:recsys_jobs|spark|expectations|plugins|dags|tests|proofs)/[\w/.]+)`")
MODULE = re.compile(r"python -m ((?:recsys_jobs|spark|expectations|proofs|benchmarks)[\w.]*)")


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_links_to_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link for link in LINK.findall(text) if not link.startswith(("http://", "https://"))]
    lost = [link for link in links if not (page.parent / link).exists()]
    lost += [path for path in SOURCE.findall(text) if not (ROOT / path).exists()]
    lost += [module for module in MODULE.findall(text) if not is_module(module.rstrip("."))]
    assert lost == []
