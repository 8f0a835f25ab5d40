"""Prints an answer for a person: the row, its model, its inputs, the user's history, and where the score comes from."""

from __future__ import annotations

from collections.abc import Iterator

from recsys_jobs.commands.why.trace import Answer, Part
from recsys_jobs.ranking.model import ModalityTerms

_EVENTS, _NEAREST, _TERMS = 12, 5, 10  # lines shown
_WIDTH = 70  # characters of a title


def lines(answer: Answer) -> Iterator[str]:
    """The answer, line by line; nothing in it can move a terminal's cursor."""
    night = answer.made_from.run_date
    yield f"{plain(answer.user)} saw {_named(answer, answer.item)} on {night}"
    yield f"  rank {answer.rank} of {len(answer.slate)}, score {answer.score:.6f}"
    yield from _model(answer)
    yield from _history(answer)
    if answer.modalities is not None:
        yield from _modalities(answer.modalities)
    if answer.events is not None:
        yield from _events(answer, answer.events)
    if answer.parts is not None:
        yield from _parts(answer, answer.parts)
    if answer.of_late is not None:
        yield _of_late(answer.of_late)
    yield from _sum(answer)
    if answer.nearest:
        yield "nearest items of the history, by cosine of the model's item vectors"
        yield from (f"  {cosine:>8.4f}  {_named(answer, item)}" for item, cosine in answer.nearest[:_NEAREST])


def plain(text: str) -> str:
    """Text from a dump without control characters, on one line, cut to a readable length."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    return shown if len(shown) <= _WIDTH else f"{shown[: _WIDTH - 1]}…"


def _named(answer: Answer, item: str) -> str:
    return f"{plain(item)}  {plain(answer.titles.get(item, '(no title)'))}"


def _model(answer: Answer) -> Iterator[str]:
    made = answer.made_from
    version = f"version {made.model_version}" if made.model_version else "the floor, which is not registered"
    yield "the model"
    yield f"  {made.model_name}, {version}; recipe {made.recipe}, {made.epochs} epochs, seed {made.seed}"
    yield f"  fingerprint {made.model_fingerprint}, MLflow run {made.run_id}, code {made.code_version}"
    yield "its inputs, by Delta version"
    yield "  " + ", ".join(f"{name} {'-' if at is None else at}" for name, at in made.delta_versions.items())
    alike = sum(a == b for a, b in zip(answer.slate, answer.rebuilt, strict=False))
    yield f"  the slate made again from these: {alike} of {len(answer.slate)} places alike"


def _history(answer: Answer) -> Iterator[str]:
    yield f"the user's history at the cut, {len(answer.history)} items" + (
        f", the last {_EVENTS}" if len(answer.history) > _EVENTS else ""
    )
    for when, stars, item, _ in answer.history[-_EVENTS:]:
        yield f"  {when}  {stars:.0f}★  {_named(answer, item)}"


def _modalities(terms: ModalityTerms) -> Iterator[str]:
    yield "what each modality adds, attention weights held fixed: the user's down, the item's across"
    yield "  " + " " * 14 + "".join(f"{name:>13}" for name in [*terms.item, "all"])
    rows = [*zip(terms.user, terms.across_MN.tolist(), strict=True), ("whoever it is", terms.alone_N.tolist())]
    for name, values in rows:
        yield f"  {name:<14}" + "".join(f"{value:>13.6f}" for value in [*values, sum(values)])
    columns = (terms.across_MN.sum(0) + terms.alone_N).tolist()
    yield f"  {'all':<14}" + "".join(f"{value:>13.6f}" for value in [*columns, sum(columns)])


def _events(answer: Answer, events: dict[str, float]) -> Iterator[str]:
    yield "what each item of the history adds"
    ordered = sorted(events.items(), key=lambda pair: (-abs(pair[1]), pair[0]))
    for item, value in ordered[:_TERMS]:
        yield f"  {value:>12.6f}  {_named(answer, item)}"
    if rest := ordered[_TERMS:]:
        yield f"  {sum(value for _, value in rest):>12.6f}  {len(rest)} more"


def _parts(answer: Answer, parts: dict[str, Part]) -> Iterator[str]:
    yield "what each part of the blend adds, standardised over the items of this person and weighed"
    yield from (f"  {part.total:>12.6f}  {name}" for name, part in parts.items())
    for name, part in parts.items():
        if part.events is None:
            continue
        yield f"of {name}:"
        yield from _events(answer, part.events)
        if part.of_late is not None:
            yield _of_late(part.of_late)
        yield f"  {part.rest:>12.6f}  less what all items have on average for this person"


def _of_late(value: float) -> str:
    return f"  {value:>12.6f}  recent popularity, whoever it is"


def _sum(answer: Answer) -> Iterator[str]:
    if answer.explained is None:
        yield f"a score of {answer.made_from.recipe} does not split into terms"
    else:
        yield f"  the terms sum to {answer.explained:.6f}, the published score is {answer.score:.6f}"
