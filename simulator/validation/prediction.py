"""One prediction for one measured row: what every predictor of the validation returns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Label = Literal["measured", "calibrated", "modelled", "assumed"]
LABELS: tuple[Label, ...] = ("measured", "calibrated", "modelled", "assumed")


@dataclass(frozen=True, slots=True)
class Prediction:
    """The value that the model gives for one measured row, or the reason why it gives none.

    Args:
        value: in the unit of the row's ``metric`` column (``iteration_time_s`` in seconds, ``memory_gb`` in 10^9 B,
            ``mfu`` as the row spells it), finite and positive; ``None`` when the row is not predicted.
        label: where the figure comes from. ``measured``: read from a measurement of this very hardware;
            ``calibrated``: a formula whose constants were fitted to this class of hardware; ``modelled``: a formula
            on datasheet figures; ``assumed``: an input of the row or a constant of the class had to be assumed.
        reason: empty when the row is predicted, else one sentence that names what is missing.
        fits: whether the layout fits the memory of the device, for rows with a full layout; ``None`` when the
            predictor does not say. A layout that does not fit may still carry a ``value`` (the time it would take).

    >>> Prediction(1.25, "calibrated", "").predicted
    True
    >>> Prediction.missing("no device 'H900' in the catalogue").value is None
    True
    """

    value: float | None
    label: Label
    reason: str
    fits: bool | None = None

    def __post_init__(self) -> None:
        assert self.label in LABELS, f"unknown label {self.label!r}"
        if self.value is None:
            assert self.reason, "a row that is not predicted needs a reason"
        else:
            assert not self.reason, f"a predicted row has no reason, got {self.reason!r}"
            assert math.isfinite(self.value) and self.value > 0.0, f"a prediction is finite and positive: {self.value}"

    @property
    def predicted(self) -> bool:
        """Whether there is a value to compare."""
        return self.value is not None

    @classmethod
    def missing(cls, reason: str, *, fits: bool | None = None) -> Prediction:
        """A row that is not predicted, and why."""
        return cls(None, "assumed", reason, fits)
