"""Leave-one-source-out: fit on all publications but one, predict that one, in turn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.profiles.catalogue import Catalogue
from simulator.validation.prediction import Prediction
from simulator.validation.predictors import Predictor, answer, field_of, predictor_of
from simulator.validation.score import Scored, headline
from simulator.validation.tables import Measurement

Pair = tuple[str, str]  # a field of work and a publication
Answer = tuple[Pair, list[Prediction]]
Call = tuple[Callable[..., Answer], tuple[Any, ...]]


def _here(calls: Sequence[Call]) -> Iterator[Answer]:
    return (function(*arguments) for function, arguments in calls)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """One publication: its median error with constants fitted without it, and with the shipped ones (memory apart)."""

    source_group: str
    rows: int
    median_ape: float | None
    in_sample_median_ape: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cross:
    """The headline on publications that were left out of the fit.

    Attributes:
        sources: publications that were left out in turn.
        fields: fields of work whose constants were refitted.
        without_refit: fields among the rows whose predictor has nothing that could be refitted; they are left out.
        in_sample_median_ape: the same rows with the shipped constants.
        ratio: out of sample over in sample.
        each: the publications that were left out, by name.
    """

    sources: int
    fields: tuple[str, ...]
    without_refit: tuple[str, ...]
    median_ape: float | None
    p90_ape: float | None
    within_20pct: float | None
    in_sample_median_ape: float | None
    ratio: float | None
    each: tuple[LeftOut, ...]


def cross_validate(
    scored: Sequence[Scored],
    catalogue: Catalogue,
    *,
    predictor: Callable[[str], Predictor] = predictor_of,
    spread: Callable[[Sequence[Call]], Iterable[Answer]] = _here,
) -> Cross:
    """Refit each field of work without each of its publications and score what was left out (usable = yes rows).

    Args:
        spread: yields the results of calls, one for each refit, in any order; the place of workers and of a bar.
    """
    usable = [one for one in scored if one.row.usable == "yes"]
    present = sorted({field_of(one.row) for one in usable})
    fields = tuple(field for field in present if predictor(field).refit is not None)
    rows: defaultdict[Pair, list[Measurement]] = defaultdict(list)
    for one in usable:
        rows[field_of(one.row), one.row.text("source_group")].append(one.row)
    calls: list[Call] = [
        (_left_out, (pair, {other: mine for other, mine in rows.items() if other[0] == pair[0]}, catalogue,
                     predictor(pair[0])))
        for pair in sorted(rows)
        if pair[0] in fields
    ]  # fmt: skip
    answers = dict(spread(calls))
    outside = [
        Scored(row=row, prediction=prediction)
        for pair in sorted(answers)
        for row, prediction in zip(rows[pair], answers[pair], strict=False)
    ]
    judged = {id(one.row) for one in outside}
    inside = [one for one in usable if id(one.row) in judged]
    errors, within = headline(outside), headline(inside).median_ape
    out = errors.median_ape
    return Cross(
        sources=len({one.row.text("source_group") for one in outside}),
        fields=fields,
        without_refit=tuple(field for field in present if field not in fields),
        median_ape=out,
        p90_ape=errors.p90_ape,
        within_20pct=errors.within_20pct,
        in_sample_median_ape=within,
        ratio=out / within if out is not None and within else None,
        each=_each(outside, inside),
    )


def _left_out(
    pair: Pair, rows: Mapping[Pair, Sequence[Measurement]], catalogue: Catalogue, predictor: Predictor
) -> Answer:
    """Return the predictions of one publication with constants fitted on all others; none where there are no others."""
    assert predictor.refit is not None
    kept = [row.cells for other, mine in rows.items() if other != pair for row in mine]
    if not kept:
        return pair, []
    predict = predictor.refit(kept, catalogue)
    return pair, [answer(predict, row, catalogue) for row in rows[pair]]


def _each(outside: Sequence[Scored], inside: Sequence[Scored]) -> tuple[LeftOut, ...]:
    found = []
    for source in sorted({one.row.text("source_group") for one in outside}):
        out, within = ([one for one in rows if one.row.text("source_group") == source] for rows in (outside, inside))
        found.append(LeftOut(source_group=source, rows=len(out), median_ape=headline(out).median_ape,
                             in_sample_median_ape=headline(within).median_ape))  # fmt: skip
    return tuple(found)
