"""The suite's figure, at the end of a run: hostile inputs tried, and refused with a clear error."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

_AREA = re.compile(r"tests/security/.*\[(?P<area>[^:\]]+):")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Count the attempts of tests/security by area; pytest calls this once all tests have run."""
    tried: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            found = _AREA.search(getattr(report, "nodeid", ""))
            if found and (report.when == "call" or outcome == "error"):
                tried[found["area"]] += 1
                refused[found["area"]] += outcome == "passed"
    if not tried:
        return
    terminalreporter.section("hostile inputs")
    for area in sorted(tried):
        terminalreporter.write_line(f"{area:<12} tried {tried[area]:>3}, refused {refused[area]:>3}")
    terminalreporter.write_line(f"{'all':<12} tried {tried.total():>3}, refused {refused.total():>3}")
