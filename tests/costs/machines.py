"""A machine to reason about: round peaks, every share at one, nothing lost in corners."""

from __future__ import annotations

from dataclasses import replace

from simulator.costs.compute import Machine
from simulator.profiles.efficiency import Efficiency
from simulator.workload.jobs.training import Precision

PERFECT = Efficiency(
    name="perfect", product32=1.0, product16=1.0, product8=1.0, product4=1.0, depth=0.0, sharpness=16.0, memory=1.0,
    attention=1.0, attention_early=0.5, attention_length=0.0, grouped=1.0, kernel_gap_s=0.0, origin="assumed",
)  # fmt: skip


def machine(*, peak: float = 100e12, bandwidth: float = 1e12, units: int | None = None, **constants: float) -> Machine:
    """Return a 16-bit machine with the given peak (FLOP/s), bandwidth (B/s) and constants of its class."""
    efficiency = replace(PERFECT, **constants)
    return Machine(peak=peak, peak16=peak, bandwidth=bandwidth, units=units, efficiency=efficiency,
                   precision=Precision.of("bf16"))  # fmt: skip
