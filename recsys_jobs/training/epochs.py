"""How long a fit took: a number of epochs, 0 for a closed form; for a blend of several parts that train, one each."""

from __future__ import annotations

Epochs = int | tuple[int, ...]


def total(epochs: Epochs) -> int:
    """Return the epochs of all parts."""
    return epochs if isinstance(epochs, int) else sum(epochs)


def write(epochs: Epochs) -> str:
    """Return the text that `read` reads: 5, or 5+40+57."""
    return str(epochs) if isinstance(epochs, int) else "+".join(map(str, epochs))


def read(text: str) -> Epochs:
    """Return what `write` wrote; ValueError where it is something else."""
    numbers = tuple(int(part) for part in text.split("+"))
    return numbers[0] if len(numbers) == 1 else numbers
