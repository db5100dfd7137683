"""Refits the constants of training steps to measured rows, from what is known without any training run.

Per class of device: one factor for each width of product and one for attention; a class begins with what large products
reach by themselves on it, which other publications measured, else with what inference kernels reach. Per way of
dispatching: host time per kernel and per step, and traffic after fusion. All are shrunk towards their beginnings and
towards what their families share (``shrinkage``), each by a stated width.

Constants that are not named here stay as shipped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from simulator.profiles.efficiency import Efficiency, efficiency_of, measured_products, product_of
from simulator.profiles.framework import Dispatch, frameworks, is_launched, is_of_networks
from simulator.validation.descent import Knob, spread
from simulator.validation.facts import number
from simulator.validation.score import MEMORY
from simulator.validation.shrinkage import Prior, most_probable
from simulator.validation.training import Run, program_of, run_of, run_value
from simulator.validation.training_constants import AS_SHIPPED, TrainingConstants
from simulator.validation.training_networks import (
    SampleRun,
    is_priced_by_layers,
    sample_run_of,
    sample_run_value,
)

Floats = NDArray[np.float64]

_PER_SOURCE: Final = 40  # rows of one publication that take part, evenly spread over it
_SHARES_END: Final = 1.2  # no share of a peak is fitted beyond this
_TOTALS: Final = ("time_to_train_min", MEMORY)  # metrics that tell nothing of a step

#: constants of a class that move together. Matrix units in steps reach a little less than by themselves, on all classes
#: alike: clocks fall under load. Shares of vector units differ more from class to class
_MATRIX: Final = Prior(width=0.25, family="matrix units", family_width=0.1)
_EFFICIENCY: Final[Mapping[tuple[str, ...], Prior]] = {
    ("product16",): _MATRIX,
    ("product8",): _MATRIX,
    ("product4",): _MATRIX,
    ("product32",): Prior(width=0.3),
    ("attention",): Prior(width=0.2),
    ("attention_early",): Prior(width=0.3),  # kernels of one generation on devices of another
}
#: constants of a way of dispatching. A transformer's operators are launched through layers of Python, networks call a
#: library for each of their layers: their launches are counted differently and share nothing
_LAUNCH: Final = ("kernel_s",)
_TRAFFIC: Final = ("traffic",)
_LIBRARY_CALL: Final = Prior(width=0.3)
_PYTHON_LAUNCH: Final = Prior(width=0.3, family="launches", family_width=1.0)
_STEP: Final = ("step_s",)
_STEP_PRIOR: Final = Prior(width=0.5, family="steps", family_width=0.25)
_FUSION: Final = Prior(width=0.35, family="fusion", family_width=0.3)
#: where ways of dispatching begin: an eager launch, a step of a small script, nothing fused
_EAGER_LAUNCH: Final = 30 * MICRO
_SMALL_STEP: Final = 10 * MILLI
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
        if not isinstance(self.run, SampleRun):
            used |= {"attention", "attention_early"}
        return bool(used.intersection(knob.names))


def refit(rows: Sequence[Mapping[str, str]], catalogue: Catalogue) -> TrainingConstants:
    """Return constants fitted to the readable rows among ``rows``; a class or dispatch without rows follows its kin."""
    cases = cases_of(rows, catalogue)
    if not cases:
        return AS_SHIPPED
    start = _beforehand(catalogue)
    return most_probable(cases, priors_of(start), start, scaled)


def priors_of(start: TrainingConstants) -> dict[Knob, Prior]:
    """Return what is fitted, and what is known of it beforehand: the start, give or take a width."""
    found = {
        Knob("class", name, names): prior for name in sorted(start.efficiencies) for names, prior in _EFFICIENCY.items()
    }
    for name, dispatch in sorted(start.dispatches.items()):
        found[Knob("dispatch", name, _TRAFFIC)] = _FUSION
        if is_launched(dispatch):
            found[Knob("dispatch", name, _STEP)] = _STEP_PRIOR
            found[Knob("dispatch", name, _LAUNCH)] = _LIBRARY_CALL if is_of_networks(name) else _PYTHON_LAUNCH
    return found


def cases_of(rows: Sequence[Mapping[str, str]], catalogue: Catalogue) -> list[_Case]:
    """Return the readable rows that take part in a fit."""
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


def value_of(constants: TrainingConstants, knob: Knob) -> float:
    """Return the first of a knob's constants."""
    held = constants.efficiencies[knob.name] if knob.kind == "class" else constants.dispatches[knob.name]
    return float(getattr(held, knob.names[0]))


def scaled(constants: TrainingConstants, knob: Knob, factor: float) -> TrainingConstants:
    """Return constants with those of a knob multiplied by a factor."""
    if knob.kind == "class":
        old = constants.efficiencies[knob.name]
        new = replace(old, **{name: min(getattr(old, name) * factor, _SHARES_END) for name in knob.names})
        return replace(constants, efficiencies={**constants.efficiencies, knob.name: new})
    dispatch = constants.dispatches[knob.name]
    changed = replace(dispatch, **{name: getattr(dispatch, name) * factor for name in knob.names})
    return replace(constants, dispatches={**constants.dispatches, knob.name: changed})


def _beforehand(catalogue: Catalogue) -> TrainingConstants:
    """Return the constants of all classes and ways of dispatching before any training run is seen."""
    efficiencies: dict[str, Efficiency] = {}
    for device in catalogue.devices.values():
        shipped = efficiency_of(device)
        if shipped.name not in efficiencies:
            efficiencies[shipped.name] = _by_themselves(shipped, kernels_of(device))
    dispatches = {one.dispatch.name: _plainest(one.dispatch) for one in frameworks().values()}
    return TrainingConstants(efficiencies=efficiencies, dispatches=dispatches)


def _plainest(shipped: Dispatch) -> Dispatch:
    """Return a way of dispatching of which only its kind is known: whether a host launches the kernels."""
    if not is_launched(shipped):
        return replace(shipped, traffic=1.0)
    return replace(shipped, kernel_s=_EAGER_LAUNCH, step_s=_SMALL_STEP, traffic=1.0)


def _by_themselves(shipped: Efficiency, kernels: Kernels) -> Efficiency:
    """Return a class with the shares that kernels reach by themselves: products as measured, else as in inference."""
    measured = measured_products(shipped.name)
    return replace(
        shipped,
        product32=measured.get("product32", kernels.compute32),
        product16=measured.get("product16", kernels.compute16),
        product8=measured.get("product8", kernels.compute8),
        product4=measured.get("product4", kernels.compute4),
        attention=kernels.attention,
        attention_early=_EARLY * kernels.attention,
    )
