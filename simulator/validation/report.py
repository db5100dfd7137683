"""The report of a validation: every block of its JSON as a dataclass, from scored rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from simulator.profiles.catalogue import Catalogue
from simulator.validation.baseline import baseline_value
from simulator.validation.cross import Cross
from simulator.validation.layouts import Layouts, layouts_of
from simulator.validation.predictors import answer, field_of, predictor_of
from simulator.validation.scaling import Scaling, scaling_of
from simulator.validation.score import (
    Errors,
    Group,
    Memory,
    OutOfMemory,
    Scored,
    groups_of,
    headline,
    memory_of,
    out_of_memory_of,
)
from simulator.validation.tables import Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial:
    """The rows that need one assumption more."""

    rows: int
    predicted: int
    errors: Errors


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a validation found; every figure is a fraction, and None where nothing was predicted.

    Attributes:
        rows: all rows kept by the filter, usable or not.
        baseline: the control's errors on the rows that are predicted.
        scaling, layouts: shape and order of predictions; None without training rows.
    """

    rows: int
    usable: int
    predicted: int
    headline: Errors
    partial: Partial
    memory: Memory
    oom: OutOfMemory
    baseline: Errors
    groups: tuple[Group, ...]
    scaling: Scaling | None
    layouts: Layouts | None

    @property
    def coverage(self) -> float | None:
        """Predicted / usable."""
        return self.predicted / self.usable if self.usable else None

    def over(self, budget: float | None) -> bool:
        """Whether the headline's median is above the budget; without any predicted row there is nothing to trust."""
        if budget is None:
            return False
        return self.headline.median_ape is None or self.headline.median_ape > budget

    def as_json(self, cross: Cross | None = None) -> dict[str, Any]:
        """Return the blocks by the names that the contract gives them."""
        partial = {"rows": self.partial.rows, "predicted": self.partial.predicted, **asdict(self.partial.errors)}
        blocks: dict[str, Any] = {
            "rows": self.rows,
            "usable": self.usable,
            "predicted": self.predicted,
            "coverage": self.coverage,
            "headline": asdict(self.headline),
            "partial": partial,
            "memory": asdict(self.memory),
            "oom": asdict(self.oom),
            "baseline": {"median_ape": self.baseline.median_ape},
            "groups": [asdict(group) for group in self.groups],
        }
        if self.scaling is not None and self.layouts is not None:
            blocks |= {"scaling": asdict(self.scaling), "layouts": asdict(self.layouts)}
        if cross is not None:
            blocks["cross"] = asdict(cross)
        return blocks


def to_be_predicted(row: Measurement) -> bool:
    """Whether a row is usable or partial, or a run that ran out of memory, of which the verdict is asked alone."""
    return row.usable != "no" or row.ran_out_of_memory


def score_row(row: Measurement, catalogue: Catalogue) -> Scored:
    """Predict one row and price its control."""
    prediction = answer(predictor_of(field_of(row)).predict, row, catalogue)
    return Scored(row=row, prediction=prediction, baseline=baseline_value(row.kind, row.cells, catalogue))


def report_of(rows: Sequence[Measurement], scored: Sequence[Scored]) -> Report:
    """Sum up; ``scored`` are those of ``rows`` that were to be predicted."""
    usable = [one for one in scored if one.row.usable == "yes"]
    partial = [one for one in scored if one.row.usable == "partial"]
    compared = [one for one in usable if one.error is not None]
    training = any(row.kind == "training" for row in rows)
    return Report(
        rows=len(rows),
        usable=len(usable),
        predicted=sum(one.answered for one in usable),
        headline=headline(usable),
        partial=Partial(rows=len(partial), predicted=sum(one.answered for one in partial), errors=headline(partial)),
        memory=memory_of(scored),
        oom=out_of_memory_of(scored),
        baseline=headline(compared, lambda one: one.baseline_error),
        groups=groups_of(usable),
        scaling=scaling_of(usable) if training else None,
        layouts=layouts_of(usable) if training else None,
    )
