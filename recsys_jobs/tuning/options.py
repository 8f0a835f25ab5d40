"""What one search over hyperparameters is given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from recsys_jobs.contracts.settings import Settings


@dataclass(frozen=True)
class TuneOptions:
    """A recipe's name, the night whose holdout confirms, the budget, whether to confirm, the configuration."""

    recipe: str
    run_date: date
    minutes: float
    trials: float  # math.inf: the minutes alone end it
    confirms: bool
    settings: Settings
