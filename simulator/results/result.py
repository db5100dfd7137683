"""What a simulated training step came to: figures, parts, memory, the trace, and where each rests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from simulator.engine.trace import Trace
from simulator.foundation.units import GIGA, TERA, show
from simulator.mapping.plan import Plan
from simulator.mapping.unfolding import ReplicaClass
from simulator.profiles.error_bands import ErrorBand
from simulator.results.feeding import Feeding
from simulator.results.lanes import Lane
from simulator.results.metrics import DEFINITIONS
from simulator.results.synchronization import Synchronization
from simulator.results.whole_run import WholeRun
from simulator.workload.jobs.samples import Job, SampleJob

if TYPE_CHECKING:
    import pandas as pd

    from simulator.results.pictures import Pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What the run stood on, for people: names and counts; ``devices_per_node`` and ``scaleup`` are in devices."""

    cluster: str
    device: str
    devices: int
    nodes: int
    devices_per_node: int
    framework: str
    kinds: tuple[str, ...] = ()  # of device, on a cluster of several

    @property
    def named(self) -> str:
        """How many of which devices; of several kinds the name of the device says it already."""
        return self.device if " x " in self.device else f"{self.devices} x {self.device}"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Result:
    """One simulated training step.

    Attributes:
        scenario, scenario_sha256, workload: the question.
        fidelity: ``engine`` (played) or ``estimate`` (closed form).
        label: the weakest origin among ``sources``: ``calibrated`` or ``assumed``.
        sources: what the prediction rests on -> its origin.
        band: errors on the measurements of such work on this class of device; None where there are none.
        metrics: figures by name, units in the names; see :data:`simulator.results.metrics.DEFINITIONS`.
        parts: seconds of the step by where they go; they add up to ``step_time_s``.
        memory: bytes on the fullest device, by part.
        memory_limit: bytes that tensors can take there.
        gains: share of the step time that ten per cent more of each resource saves.
        classes: of data-parallel replicas that behave alike.
        assumptions: what was taken for granted, in words.
        trace: what was played; None for an estimate.
        synchronization: how the replicas came to the same weights; None for a plain all-reduce each step.
        run: the whole run around the step; None if nobody asks for its end.
        lanes: every stage of every class of replicas: its machine, work and memory.
        feeding: what data and checkpoints do to the step; None if the scenario has neither.
    """

    scenario: str
    scenario_sha256: str
    workload: str
    fidelity: str
    hardware: Hardware
    job: Job
    plan: Plan
    label: str
    sources: Mapping[str, str]
    band: ErrorBand | None
    metrics: Mapping[str, float]
    parts: Mapping[str, float]
    memory: Mapping[str, float]
    memory_limit: float
    gains: Mapping[str, float]
    classes: tuple[ReplicaClass, ...]
    assumptions: tuple[str, ...]
    trace: Trace | None
    feeding: Feeding | None = None
    synchronization: Synchronization | None = None
    run: WholeRun | None = None
    lanes: tuple[Lane, ...] = ()

    def __repr__(self) -> str:
        return f"<Result of {self.scenario}: {self.summary}>"

    @property
    def step_time(self) -> float:
        """Seconds of one step."""
        return self.metrics["step_time_s"]

    @property
    def unit(self) -> str:
        """What a step takes in, in the plural: tokens of a text, or samples."""
        return "tokens" if "tokens_per_s" in self.metrics else "samples"

    @property
    def definitions(self) -> dict[str, str]:
        """What each figure means; a run's time holds its checkpoints where the scenario has some."""
        found = {name: DEFINITIONS[name] for name in self.metrics}
        if "time_to_train_s" in found and self.feeding is not None and self.feeding.saving is not None:
            found["time_to_train_s"] = "steps x step time, without failures"
        return found

    @property
    def summary(self) -> str:
        """The answer in a line or two."""
        m = self.metrics
        used, limit = m["memory_bytes"] / GIGA, m["memory_limit_bytes"] / GIGA
        error = f", {self.band.words}" if self.band else ""
        rate = f"{m['samples_per_s']:,.0f} samples/s, " if isinstance(self.job, SampleJob) else ""
        text = (
            f"{self.job.model.name} on {self.hardware.named}: "
            f"{show(self.step_time, 'time')} per step, {rate}"
            f"{m['flop_per_s_per_device'] / TERA:.4g} TFLOP/s per device, MFU {m['mfu']:.1%}, "
            f"memory {used:.1f} of {limit:.1f} GB ({self.label}{error})"
        )
        text = text if self.feeding is None else f"{text}; {self.feeding.summary}"
        return f"{text}; {self.run.summary}" if self.run is not None and self.run.mtbf_s is not None else text

    def facts(self) -> dict[str, Any]:
        """Return everything but the trace as plain data, for JSON."""
        return {
            "scenario": self.scenario,
            "scenario_sha256": self.scenario_sha256,
            "workload": self.workload,
            "kind": "train",
            "fidelity": self.fidelity,
            "hardware": asdict(self.hardware),
            "model": self.job.model.name,
            "plan": asdict(self.plan),
            "label": self.label,
            "sources": dict(self.sources),
            "error_band": asdict(self.band) if self.band else None,
            "metrics": dict(self.metrics),
            "metric_definitions": self.definitions,
            "parts_s": dict(self.parts),
            "memory_bytes": dict(self.memory),
            "gains_of_ten_per_cent": dict(self.gains),
            "replica_classes": [asdict(one) for one in self.classes],
            "lanes": [asdict(one) for one in self.lanes],
            "assumptions": list(self.assumptions),
            **({"synchronization": self.synchronization.facts()} if self.synchronization else {}),
            **({"run": self.run.facts()} if self.run else {}),
            **({"feeding": self.feeding.facts()} if self.feeding else {}),
        }

    def frame(self) -> pd.DataFrame:
        """Return the figures as a tidy frame: metric, value, meaning."""
        from simulator.results.tables import metrics_frame

        return metrics_frame(self)

    def explain(self) -> str:
        """Return in sentences what bounds the step, and what would help."""
        from simulator.results.explanation import explanation

        return explanation(self)

    @property
    def plot(self) -> Pictures:
        """Pictures of this result: ``timeline``, ``memory``, ``layout``, ``waterfall``."""
        from simulator.results.pictures import Pictures

        return Pictures(self)

    def _repr_html_(self) -> str:
        """Return a card for notebooks."""
        from simulator.results.tables import html_card

        return html_card(self)
