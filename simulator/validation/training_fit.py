"""Refits the constants of training steps to measured rows, from what is known without any training run.

Per class of device: one factor for each width of product and one for attention; a class begins with what inference
kernels reach on it, which other publications measured. Per way of dispatching: host time per kernel and traffic after
fusion. Where the rows of a class or of a way of dispatching hardly depend on one of these (large models never wait for
their host), nothing is known of it, and the middle of what relatives showed stands in.

Factors are found by coordinate descent. Constants that are not named here stay as shipped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.costs.network import AnalyticNetwork
from simulator.costs.passes import Network
from simulator.costs.serving.traits import Kernels, kernels_of
from simulator.foundation.errors import Infeasible, InputError
from simulator.foundation.units import MICRO, MILLI
from simulator.mapping.placement import Group
from simulator.mapping.program import Program
from simulator.profiles.catalogue import Catalogue
from simulator.profiles.efficiency import Efficiency, efficiency_of, product_of
from simulator.profiles.framework import Dispatch, frameworks
from simulator.validation.descent import Descent, Knob, spread
from simulator.validation.facts import number
from simulator.validation.score import MEMORY
from simulator.validation.training import Run, program_of, run_of, run_value
from simulator.validation.training_constants import AS_SHIPPED, TrainingConstants
from simulator.validation.training_networks import (
    SampleRun,
    is_priced_by_layers,
    sample_run_of,
    sample_run_value,
)

Floats = NDArray[np.float64]

_PER_SOURCE: Final = 20  # rows of one publication that take part, evenly spread over it
_SWEEPS: Final = (1.0, 0.5, 0.25)  # how far each sweep goes, as an exponent of the factors tried
_SHARES_END: Final = 1.2  # no share of a peak is fitted beyond this
_ATTENTION: Final = ("attention", "attention_early")
_TOTALS: Final = ("time_to_train_min", MEMORY)  # metrics that tell nothing of a step

#: constants of a class or a dispatch that move together
_EFFICIENCY: Final = (("product16",), ("product8",), ("product4",), ("product32",), _ATTENTION)
_LAUNCH: Final = ("kernel_s",)
_DISPATCH: Final = (_LAUNCH, ("traffic",))
#: where ways of dispatching begin: an eager launch, nothing fused
_EAGER_LAUNCH: Final = 30 * MICRO
_STEP: Final = 10 * MILLI
#: first fused attention kernels over later ones (arXiv 2307.08691: 35 % of the peak against 60 %)
_EARLY: Final = 0.6


@dataclass(slots=True)
class _Remembered:
    """A network whose prices are asked again and again: none of the fitted constants changes them."""

    network: Network
    known: dict[tuple[object, ...], Floats] = field(default_factory=dict)

    def time(self, operation: str, size: Any, group: Group) -> Floats:
        members = tuple(np.asarray(one).tobytes() for one in group.members)
        key = (operation, np.asarray(size, dtype=float).tobytes(), members)
        if key not in self.known:
            self.known[key] = self.network.time(operation, size, group)
        return self.known[key]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A measured row that takes part, read once and priced many times."""

    source: str
    row: Mapping[str, str]
    run: Run | SampleRun
    program: Program | None  # of a transformer
    network: Network

    @property
    def device_class(self) -> Efficiency:
        """The shipped class of its device."""
        return efficiency_of(self.run.device)

    @property
    def dispatch(self) -> Dispatch:
        """The shipped way of dispatching of its framework."""
        return self.run.framework.dispatch

    def error(self, constants: TrainingConstants) -> float:
        """Return the logarithmic error under some constants."""
        if isinstance(self.run, SampleRun):
            value = sample_run_value(self.row, self.run, constants, self.network)
        else:
            assert self.program is not None
            value = run_value(self.row, self.run, self.program, constants, self.network)
        return float(np.log(value / number(self.row, "value")))

    def shows(self, knob: Knob) -> bool:
        """Return whether the row may depend on some constants."""
        if knob.kind == "dispatch":
            return knob.name == self.dispatch.name
        if knob.name != self.device_class.name:
            return False
        precision = self.run.precision if isinstance(self.run, SampleRun) else self.run.job.precision
        narrow = precision.peak not in ("fp64", "fp32", "tf32")  # narrow formats keep some products in 16 bits
        used = {product_of(precision.peak), *(("product16",) if narrow else ())}
        return bool(used.union(() if isinstance(self.run, SampleRun) else _ATTENTION).intersection(knob.names))


def refit(rows: Sequence[Mapping[str, str]], catalogue: Catalogue) -> TrainingConstants:
    """Return constants fitted to the readable rows among ``rows``; a class or dispatch without rows is told by none."""
    cases = _cases(rows, catalogue)
    if not cases:
        return AS_SHIPPED
    start = _neutral(catalogue)
    kin = {efficiency_of(device).name: kernels_of(device).name for device in catalogue.devices.values()}
    knobs = [Knob("class", name, names) for name in sorted(start.efficiencies) for names in _EFFICIENCY]
    knobs += [Knob("dispatch", name, names) for name in sorted(start.dispatches) for names in _DISPATCH]
    fit = Descent(cases, knobs, start, _scaled)
    for reach in _SWEEPS:
        for knob in fit.knobs:
            fit.improve(knob, reach)
        _stand_in(fit, kin)
    return fit.constants


def _cases(rows: Sequence[Mapping[str, str]], catalogue: Catalogue) -> list[_Case]:
    telling = [row for row in rows if row["metric"] not in _TOTALS and row.get("value")]
    networks: dict[int, _Remembered] = {}
    found: list[_Case] = []
    for source, row in spread(telling, _PER_SOURCE):
        try:
            found.append(_case(source, row, catalogue, networks))
        except (InputError, Infeasible):
            continue
    return found


def _case(source: str, row: Mapping[str, str], catalogue: Catalogue, networks: dict[int, _Remembered]) -> _Case:
    run: Run | SampleRun
    if is_priced_by_layers(row):
        run, program = sample_run_of(row, catalogue), None
        tiers = run.tiers
    else:
        run = run_of(row, catalogue)
        program, tiers = program_of(run), run.cluster.tiers
    network = networks.setdefault(id(tiers), _Remembered(AnalyticNetwork.of(tiers)))
    return _Case(source=source, row=row, run=run, program=program, network=network)


def _stand_in(fit: Descent[TrainingConstants], kin: Mapping[str, str]) -> None:
    """Let relatives speak where a class's or a dispatch's own rows show nothing of a constant.

    Relatives of a class are those that share its inference kernels; of an eager way of dispatching, all other eager
    ones: rows of large models, which never wait for their host, show nothing of how long a launch takes.
    """
    eager = [Knob("dispatch", one.name, _LAUNCH) for one in fit.constants.dispatches.values() if _launches(one)]
    groups = [eager]
    for names, family in product(_EFFICIENCY, sorted(set(kin.values()))):
        groups.append([Knob("class", name, names) for name in fit.constants.efficiencies if kin[name] == family])
    for group in groups:
        shown = [fit.tells(knob) for knob in group]
        told = [_value(fit.constants, knob) for knob, tells in zip(group, shown, strict=True) if tells]
        for knob, tells in zip(group, shown, strict=True):
            if told and not tells:
                fit.scale(knob, float(np.median(told)) / _value(fit.constants, knob))


def _launches(dispatch: Dispatch) -> bool:
    """Return whether the host launches every kernel."""
    return dispatch.kernel_s > 0 and dispatch.kernels == 1.0


def _value(constants: TrainingConstants, knob: Knob) -> float:
    held: Efficiency | Dispatch = (
        constants.efficiencies[knob.name] if knob.kind == "class" else constants.dispatches[knob.name]
    )
    return float(getattr(held, knob.names[0]))


def _scaled(constants: TrainingConstants, knob: Knob, factor: float) -> TrainingConstants:
    if knob.kind == "class":
        old = constants.efficiencies[knob.name]
        new = replace(old, **{name: min(getattr(old, name) * factor, _SHARES_END) for name in knob.names})
        return replace(constants, efficiencies={**constants.efficiencies, knob.name: new})
    dispatch = constants.dispatches[knob.name]
    changed = replace(dispatch, **{name: getattr(dispatch, name) * factor for name in knob.names})
    return replace(constants, dispatches={**constants.dispatches, knob.name: changed})


def _neutral(catalogue: Catalogue) -> TrainingConstants:
    """Return the constants of all classes and ways of dispatching before any training run is seen."""
    efficiencies: dict[str, Efficiency] = {}
    for device in catalogue.devices.values():
        shipped = efficiency_of(device)
        if shipped.name not in efficiencies:
            efficiencies[shipped.name] = _of_kernels(shipped, kernels_of(device))
    dispatches = {
        name: replace(one, kernel_s=_EAGER_LAUNCH if one.kernel_s > 0 else 0.0, traffic=1.0, step_s=_STEP)
        for name, one in sorted({one.dispatch.name: one.dispatch for one in frameworks().values()}.items())
    }
    return TrainingConstants(efficiencies=efficiencies, dispatches=dispatches)


def _of_kernels(shipped: Efficiency, kernels: Kernels) -> Efficiency:
    """Return a class with the shares that inference kernels reach on it."""
    return replace(
        shipped,
        product32=kernels.compute32,
        product16=kernels.compute16,
        product8=kernels.compute8,
        product4=kernels.compute4,
        attention=kernels.attention,
        attention_early=_EARLY * kernels.attention,
    )
