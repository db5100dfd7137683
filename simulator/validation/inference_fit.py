"""Refits the constants of inference to measured rows, from neutral starting values, through those of siblings.

Per engine: its host's time, what a client waits beside it, launches, small kernels, and waits at exchanges. Per class
of device: products, streams and attention, but for classes whose constants were read from kernel tables: those owe
nothing to the rows. First all siblings move together (engines that generate token by token, frameworks and servers of
one pass, classes of devices); then each moves by itself, where its own rows are worth it: a step away from the siblings
costs ``_APART``. One without rows keeps what they agree on, so that nothing of a publication that is left out is known.
Constants that are not named here stay as shipped, and so does what an engine does not have (zero).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import log
from typing import Any, Final

from simulator.costs.serving.traits import EngineTraits, Kernels, engine_named, engines, kernel_classes
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
#: what a step away from the siblings costs: so much of one publication's error, for each unit of the factor's logarithm
_APART: Final = 0.1
#: answers kept, as descents without one publication or another ask the same again and again
_KEPT: Final = 200_000

#: classes whose constants come from kernel tables (``hardware_profiles/efficiency/serving.yaml`` says so)
_FROM_TABLES: Final = frozenset({"hopper", "ampere", "ada", "blackwell", "blackwell-workstation"})
#: engines that make one pass over their inputs; the others generate token by token
_ONE_PASS: Final = frozenset({"tensorrt", "triton", "pytorch", "tensorflow", "torchscript"})
#: names of the siblings that move together
_PASSING, _GENERATING, _ALL = "one pass", "token by token", "all"
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
        mine = constants.narrowed(self.kernels, self.engine)
        return log(_predicted(tuple(self.row.items()), self.catalogue, mine) / number(self.row, "value"))

    def shows(self, knob: Knob) -> bool:
        """Return whether the row may depend on some constants."""
        if knob.kind == "kernels":
            return self.kernels.name not in _FROM_TABLES and knob.name in (self.kernels.name, _ALL)
        return knob.name in (self.engine.name, _siblings(self.engine))


@lru_cache(maxsize=_KEPT)
def _predicted(cells: tuple[tuple[str, str], ...], catalogue: Catalogue, constants: InferenceConstants) -> float:
    value = predict_inference_row(dict(cells), catalogue, constants).value
    assert value is not None
    return value


def _siblings(engine: EngineTraits) -> str:
    return _PASSING if engine.name in _ONE_PASS else _GENERATING


def refit(rows: Sequence[Mapping[str, str]], catalogue: Catalogue) -> InferenceConstants:
    """Return constants fitted to the readable rows among ``rows``; one without rows of its own has its siblings'."""
    cases = _cases(rows, catalogue)
    if not cases:
        return AS_SHIPPED
    start = _neutral()
    together = [Knob("engines", name, names) for name in (_PASSING, _GENERATING) for names in _ENGINE]
    together += [Knob("kernels", _ALL, names) for names in _KERNELS]
    apart = [Knob("engines", one.name, names) for one in start.engines for names in _ENGINE]
    apart += [Knob("kernels", one.name, names) for one in start.kernels for names in _KERNELS]
    fit = Descent(cases, together + apart, start, _scaled)
    price = _APART / len({case.source for case in cases})
    for knobs, asked in ((together, 0.0), (apart, price)):
        for reach in _SWEEPS:
            for knob in fit.told(knobs):
                fit.improve(knob, reach, price=asked)
    return fit.constants


def _cases(rows: Sequence[Mapping[str, str]], catalogue: Catalogue) -> list[_Case]:
    found = []
    for source, row in spread([row for row in rows if row.get("value")], _PER_SOURCE):
        try:
            kernels, engine = parts_of(row, catalogue)
            _predicted(tuple(row.items()), catalogue, AS_SHIPPED)
        except (InputError, Infeasible):
            continue
        found.append(_Case(source=source, row=row, catalogue=catalogue, kernels=kernels, engine=engine))
    return found


def _neutral() -> InferenceConstants:
    """Return all classes and engines before any row is seen."""
    kernels = [one for one in kernel_classes() if one.name not in _FROM_TABLES]
    return InferenceConstants(
        kernels=tuple(replace(one, **_NEUTRAL_KERNELS) for one in kernels),
        engines=tuple(_neutral_engine(engine_named(name)) for name in engines()),
    )


def _neutral_engine(engine: EngineTraits) -> EngineTraits:
    had: Mapping[str, Any] = {name: value for name, value in _NEUTRAL_ENGINE.items() if getattr(engine, name) > 0}
    return replace(engine, **had)


def _scaled(constants: InferenceConstants, knob: Knob, factor: float) -> InferenceConstants:
    end = _SHARES_END if knob.kind == "kernels" else float("inf")
    changed = tuple(
        replace(one, **{name: min(end, getattr(one, name) * factor) for name in knob.names}) if _moves(one, knob)
        else one
        for one in getattr(constants, knob.kind)
    )  # fmt: skip
    return replace(constants, **{knob.kind: changed})


def _moves(one: Kernels | EngineTraits, knob: Knob) -> bool:
    """Return whether a knob is that of a class or an engine, or of it and its siblings."""
    return knob.name in (one.name, _siblings(one) if isinstance(one, EngineTraits) else _ALL)
