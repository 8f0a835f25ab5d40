"""Prints a trace for a person: the row, its model, its inputs, the user's history, and where the score comes from.

M modalities of the user, N of the item.
"""

from __future__ import annotations

from collections.abc import Iterator

from recsys_jobs.commands.why.trace import Part, Trace
from recsys_jobs.ranking.model import ModalityTerms

_EVENTS, _NEAREST, _TERMS = 12, 5, 10  # lines shown
_TITLE_WIDTH = 70  # characters


def lines(trace: Trace) -> Iterator[str]:
    """Yield the trace line by line; nothing in it can move a terminal's cursor."""
    night = trace.publication.run_date
    yield f"{plain(trace.user)} saw {_with_title(trace, trace.item)} on {night}"
    yield f"  rank {trace.rank} of {len(trace.slate)}, score {trace.score:.6f}"
    yield from _model(trace)
    yield from _history(trace)
    if trace.modalities is not None:
        yield from _modality_table(trace.modalities)
    if trace.events is not None:
        yield from _events(trace, trace.events)
    if trace.parts is not None:
        yield from _parts(trace, trace.parts)
    if trace.recent_popularity is not None:
        yield _popularity_line(trace.recent_popularity)
    yield from _sum(trace)
    if trace.nearest:
        yield "nearest items of the history, by cosine of the model's item vectors"
        yield from (f"  {cosine:>8.4f}  {_with_title(trace, item)}" for item, cosine in trace.nearest[:_NEAREST])


def plain(text: str) -> str:
    """Return text from a dump without control characters, on one line, cut to a readable length."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    return shown if len(shown) <= _TITLE_WIDTH else f"{shown[: _TITLE_WIDTH - 1]}…"


def _with_title(trace: Trace, item: str) -> str:
    return f"{plain(item)}  {plain(trace.titles.get(item, '(no title)'))}"


def _model(trace: Trace) -> Iterator[str]:
    night = trace.publication
    version = f"version {night.model_version}" if night.model_version else "the floor, which is not registered"
    yield "the model"
    yield f"  {night.model_name}, {version}; recipe {night.recipe}, {night.epochs} epochs, seed {night.seed}"
    yield f"  fingerprint {night.model_fingerprint}, MLflow run {night.run_id}, code {night.code_version}"
    yield "its inputs, by Delta version"
    inputs = [f"{name} {'-' if version is None else version}" for name, version in night.delta_versions.items()]
    yield "  " + ", ".join(inputs)
    alike = sum(item == rebuilt for item, rebuilt in zip(trace.slate, trace.rebuilt, strict=False))
    yield f"  the slate made again from these: {alike} of {len(trace.slate)} places alike"


def _history(trace: Trace) -> Iterator[str]:
    shortened = f", the last {_EVENTS}" if len(trace.history) > _EVENTS else ""
    yield f"the user's history at the cut, {len(trace.history)} items{shortened}"
    for when, stars, item, _ in trace.history[-_EVENTS:]:
        yield f"  {when}  {stars:.0f}★  {_with_title(trace, item)}"


def _modality_table(terms: ModalityTerms) -> Iterator[str]:
    yield "what each modality adds, attention weights held fixed: the user's down, the item's across"
    yield "  " + " " * 14 + "".join(f"{name:>13}" for name in [*terms.item, "all"])
    for name, values in zip(terms.user, terms.across_MN.tolist(), strict=True):
        yield _row_with_sum(name, values)
    yield _row_with_sum("whoever it is", terms.alone_N.tolist())
    yield _row_with_sum("all", (terms.across_MN.sum(0) + terms.alone_N).tolist())


def _row_with_sum(name: str, values: list[float]) -> str:
    return f"  {name:<14}" + "".join(f"{value:>13.6f}" for value in [*values, sum(values)])


def _events(trace: Trace, events: dict[str, float]) -> Iterator[str]:
    yield "what each item of the history adds"
    largest_first = sorted(events.items(), key=lambda term: (-abs(term[1]), term[0]))
    for item, value in largest_first[:_TERMS]:
        yield f"  {value:>12.6f}  {_with_title(trace, item)}"
    if rest := largest_first[_TERMS:]:
        yield f"  {sum(value for _, value in rest):>12.6f}  {len(rest)} more"


def _parts(trace: Trace, parts: dict[str, Part]) -> Iterator[str]:
    yield "what each part of the blend adds, standardised over the items of this person and weighed"
    yield from (f"  {part.total:>12.6f}  {name}" for name, part in parts.items())
    for name, part in parts.items():
        if part.events is None:
            continue
        yield f"of {name}:"
        yield from _events(trace, part.events)
        if part.recent_popularity is not None:
            yield _popularity_line(part.recent_popularity)
        yield f"  {part.rest:>12.6f}  less what all items have on average for this person"


def _popularity_line(value: float) -> str:
    return f"  {value:>12.6f}  recent popularity, whoever it is"


def _sum(trace: Trace) -> Iterator[str]:
    if trace.explained is None:
        yield f"a score of {trace.publication.recipe} does not split into terms"
    else:
        yield f"  the terms sum to {trace.explained:.6f}, the published score is {trace.score:.6f}"
