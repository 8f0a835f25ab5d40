"""What one search over hyperparameters is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from recsys_jobs.contracts.settings import Settings


@dataclass(frozen=True)
class Call:
    """One search: its recipe, the night whose holdout confirms, its budget, whether to confirm, its configuration."""

    recipe: str
    run_date: date
    minutes: float
    trials: float
    confirms: bool
    settings: Settings
