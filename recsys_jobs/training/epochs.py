"""How long a fit took: a number of epochs, 0 for a closed form; for a blend of several parts that train, one each.

And how an epoch reads in a log.
"""

from __future__ import annotations

from collections.abc import Mapping

Epochs = int | tuple[int, ...]


def total_epochs(epochs: Epochs) -> int:
    """Return the epochs of all parts."""
    return epochs if isinstance(epochs, int) else sum(epochs)


def format_epochs(epochs: Epochs) -> str:
    """Return the text that `parse_epochs` reads: 5, or 5+40+57."""
    return str(epochs) if isinstance(epochs, int) else "+".join(map(str, epochs))


def parse_epochs(text: str) -> Epochs:
    """Return what `format_epochs` wrote; ValueError where it is something else."""
    numbers = tuple(int(part) for part in text.split("+"))
    return numbers[0] if len(numbers) == 1 else numbers


def epoch_line(entry: Mapping[str, float]) -> str:
    """Return a log line of one epoch that fits 80 columns: its loss, validation and seconds, and none of the rest.

    The validation is its loss where the family has one, which it then stops by, else its NDCG.
    """
    validation = "validation_loss" if "validation_loss" in entry else "validation_ndcg"
    numbers = [f"{name} {entry[name]:.4f}" for name in ("loss", validation) if name in entry]
    if "seconds" in entry:
        numbers.append(f"seconds {entry['seconds']:.1f}")
    return f"epoch {entry['epoch']:.0f}: {'  '.join(numbers)}"
