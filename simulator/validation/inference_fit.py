"""Refits the constants of inference to measured rows, from neutral starting values.

Per engine: its host's time, what a client waits beside it, launches, small kernels, and waits at exchanges. Per class
of device: products, streams and attention, but for classes whose constants were read from kernel tables: those owe
nothing to the rows. Constants that are not named here stay as shipped, and so does what an engine does not have (zero).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log
from typing import Any, Final

from simulator.costs.serving.traits import EngineTraits, Kernels
from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.units import MICRO, MILLI
from simulator.profiles.catalogue import Catalogue
from simulator.validation.descent import Descent, Knob, spread
from simulator.validation.facts import number
from simulator.validation.inference import parts_of, predict_inference_row
from simulator.validation.inference_constants import AS_SHIPPED, InferenceConstants

_PER_SOURCE: Final = 12  # rows of one publication that take part, evenly spread over it
_SWEEPS: Final = (1.0, 0.5)  # how far each sweep goes, as an exponent of the factors tried
_SHARES_END: Final = 1.2  # no share is fitted beyond this

#: classes whose constants come from kernel tables (``hardware_profiles/efficiency/serving.yaml`` says so)
_FROM_TABLES: Final = frozenset({"hopper", "ampere", "ada", "blackwell", "blackwell-workstation"})
#: constants that move together
_ENGINE: Final = (("host_s", "host_per_sequence_s"), ("frontend_s", "prompt_s"), ("launch_s",), ("small", "traffic"),
                  ("wait_s",))  # fmt: skip
_KERNELS: Final = (("compute32", "compute16", "compute8"), ("stream16", "stream8", "stream4"), ("cache", "attention"))
#: where an engine begins: a loop in Python around captured graphs, nothing fused
_NEUTRAL_ENGINE: Final = {"host_s": 1 * MILLI, "host_per_sequence_s": 5 * MICRO, "frontend_s": 20 * MILLI,
                          "prompt_s": 1 * MILLI, "launch_s": 6 * MICRO, "small": 1.0, "traffic": 1.0,
                          "wait_s": 2 * MICRO}  # fmt: skip
#: where a class begins: shares that accelerators of several makers reach
_NEUTRAL_KERNELS: Final[Mapping[str, Any]] = {
    "compute32": 0.6, "compute16": 0.6, "compute8": 0.6, "stream16": 0.8, "stream8": 0.8, "stream4": 0.7, "cache": 0.7,
    "attention": 0.5,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A measured row that takes part."""

    source: str
    row: Mapping[str, str]
    catalogue: Catalogue
    kernels: Kernels
    engine: EngineTraits

    def error(self, constants: InferenceConstants) -> float:
        """Return the logarithmic error under some constants."""
        value = predict_inference_row(self.row, self.catalogue, constants).value
        assert value is not None
        return log(value / number(self.row, "value"))

    def shows(self, knob: Knob) -> bool:
        """Return whether the row may depend on some constants."""
        return knob.name == (self.kernels if knob.kind == "kernels" else self.engine).name


def refit(rows: Sequence[Mapping[str, str]], catalogue: Catalogue) -> InferenceConstants:
    """Return constants fitted to the readable rows among ``rows``; a class or engine without rows is told by none."""
    cases = _cases(rows, catalogue)
    if not cases:
        return AS_SHIPPED
    start = _neutral(cases)
    knobs = [Knob("engines", one.name, names) for one in start.engines for names in _ENGINE]
    knobs += [Knob("kernels", one.name, names) for one in start.kernels for names in _KERNELS]
    fit = Descent(cases, knobs, start, _scaled)
    for reach in _SWEEPS:
        for knob in fit.knobs:
            fit.improve(knob, reach)
    return fit.constants


def _cases(rows: Sequence[Mapping[str, str]], catalogue: Catalogue) -> list[_Case]:
    found = []
    for source, row in spread([row for row in rows if row.get("value")], _PER_SOURCE):
        try:
            kernels, engine = parts_of(row, catalogue)
            predict_inference_row(row, catalogue)
        except (InputError, Infeasible):
            continue
        found.append(_Case(source=source, row=row, catalogue=catalogue, kernels=kernels, engine=engine))
    return found


def _neutral(cases: Sequence[_Case]) -> InferenceConstants:
    """Return the classes and engines of some rows before any of them is seen."""
    kernels = {case.kernels.name: case.kernels for case in cases if case.kernels.name not in _FROM_TABLES}
    engines = {case.engine.name: case.engine for case in cases}
    return InferenceConstants(
        kernels=tuple(replace(kernels[name], **_NEUTRAL_KERNELS) for name in sorted(kernels)),
        engines=tuple(_neutral_engine(engines[name]) for name in sorted(engines)),
    )


def _neutral_engine(engine: EngineTraits) -> EngineTraits:
    had: Mapping[str, Any] = {name: value for name, value in _NEUTRAL_ENGINE.items() if getattr(engine, name) > 0}
    return replace(engine, **had)


def _scaled(constants: InferenceConstants, knob: Knob, factor: float) -> InferenceConstants:
    end = _SHARES_END if knob.kind == "kernels" else float("inf")
    changed = tuple(
        replace(one, **{name: min(end, getattr(one, name) * factor) for name in knob.names}) if one.name == knob.name
        else one
        for one in getattr(constants, knob.kind)
    )  # fmt: skip
    return replace(constants, **{knob.kind: changed})
