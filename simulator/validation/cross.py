"""Leave-one-source-out: fit on all publications but one, predict that one, in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulator.profiles.catalogue import Catalogue
from simulator.validation.predictors import Predictor, answer, field_of, predictor_of
from simulator.validation.score import Scored, headline


@dataclass(frozen=True, slots=True, kw_only=True)
class Cross:
    """The headline on publications that were left out of the fit.

    Attributes:
        sources: publications that were left out in turn.
        fields: fields of work whose constants were refitted.
        without_refit: fields among the rows whose predictor has nothing that could be refitted; they are left out.
        in_sample_median_ape: the same rows with the shipped constants.
        ratio: out of sample over in sample.
    """

    sources: int
    fields: tuple[str, ...]
    without_refit: tuple[str, ...]
    median_ape: float | None
    p90_ape: float | None
    within_20pct: float | None
    in_sample_median_ape: float | None
    ratio: float | None


def cross_validate(
    scored: Sequence[Scored],
    catalogue: Catalogue,
    *,
    predictor: Callable[[str], Predictor] = predictor_of,
) -> Cross:
    """Refit each field of work without each of its publications and score what was left out (usable = yes rows)."""
    usable = [one for one in scored if one.row.usable == "yes"]
    present = sorted({field_of(one.row) for one in usable})
    fields = [field for field in present if predictor(field).refit is not None]
    outside: list[Scored] = []
    for field in fields:
        outside += _leave_out_each([one for one in usable if field_of(one.row) == field], catalogue, predictor(field))
    inside = headline(one for one in usable if field_of(one.row) in fields)
    errors = headline(outside)
    out, within = errors.median_ape, inside.median_ape
    return Cross(
        sources=len({one.row.text("source_group") for one in outside}),
        fields=tuple(fields),
        without_refit=tuple(field for field in present if field not in fields),
        median_ape=out,
        p90_ape=errors.p90_ape,
        within_20pct=errors.within_20pct,
        in_sample_median_ape=within,
        ratio=out / within if out is not None and within else None,
    )


def _leave_out_each(rows: Sequence[Scored], catalogue: Catalogue, predictor: Predictor) -> list[Scored]:
    assert predictor.refit is not None
    outside: list[Scored] = []
    for source in sorted({one.row.text("source_group") for one in rows}):
        kept = [one.row.cells for one in rows if one.row.text("source_group") != source]
        if not kept:  # a single publication leaves nothing to fit on
            continue
        predict = predictor.refit(kept, catalogue)
        outside += [
            Scored(row=one.row, prediction=answer(predict, one.row, catalogue))
            for one in rows
            if one.row.text("source_group") == source
        ]
    return outside
