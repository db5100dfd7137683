"""What a played service of models that answer in one pass came to: figures, by group, by stage, by request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.costs.caching import che
from simulator.engine.serving.predictor import OUTCOMES, Predicted, Store
from simulator.foundation.units import KILO, MEGA
from simulator.profiles.error_bands import ErrorBand
from simulator.results.serving import frame_by_name, summary_of

if TYPE_CHECKING:
    import pandas as pd

#: what each figure means
DEFINITIONS: Final[Mapping[str, str]] = {
    "requests": "requests that arrived",
    "requests_per_s": "answered, from the first arrival to the last answer",
    "goodput_per_s": "answered inside the limit, per second",
    "attainment": "share of all requests that were answered inside the limit",
    "latency": "sending to answer, network included",
    "network": "of it: on the wire, connecting, and in the gateway",
    "inside": "of it: waiting and computing, at all stages",
    "hit_rate": "share of requests whose model was on the device",
    "che_hit_rate": "the same by Che's approximation, device by device",
    "cold_latency": "latency of requests whose model had to be loaded",
    "usd_per_million": "rent of the devices in use, per million answers",
    "joule_per_request": "energy of the devices in use, per answer",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionResult:
    """One played service.

    Attributes:
        devices: how many of which.
        predicted: columns by request.
        usd_per_s, watts: of the devices in use; None where not known.
        label: origin of the inference constants: ``calibrated``, ``measured`` or ``assumed``.
        band: errors on measured forward passes of this class of device; None where there is none.
    """

    scenario: str
    scenario_sha256: str
    workload: str
    models: tuple[str, ...]
    engine: str
    devices: Mapping[str, float]
    slices: int
    predicted: Predicted
    store: Store | None
    limit_s: float | None
    wanted_attainment: float
    usd_per_s: float | None
    watts: float | None
    label: str
    band: ErrorBand | None

    def metrics(self) -> dict[str, float]:
        """Return the figures by name, units in the names; see :data:`DEFINITIONS`."""
        run = self.predicted
        done, good, span = run.finished, run.within(self.limit_s), run.span_s
        found = {
            "requests": float(len(done)),
            "finished": float(done.sum()),
            "attainment": float(good.mean()) if len(good) else float("nan"),
            "requests_per_s": float(done.sum()) / span,
            "goodput_per_s": float(good.sum()) / span,
        }
        found |= summary_of("latency", run.latency_s[done])
        found |= summary_of("network", run.network_s[done])
        found |= summary_of("inside", (run.latency_s - run.network_s)[done])
        for name, stage in run.stages.items():
            found[f"{name}_mean_batch"] = stage.mean_batch
            found[f"{name}_busy_fraction"] = stage.busy_s / (stage.servers * span)
        found |= self._catalogue()
        if self.usd_per_s is not None and done.any():
            found["usd_per_million"] = self.usd_per_s * span / float(done.sum()) * MEGA
        if self.watts is not None and done.any():
            found["joule_per_request"] = self.watts * span / float(done.sum())
        return found

    def _catalogue(self) -> dict[str, float]:
        run, store = self.predicted.store, self.store
        if run is None or store is None:
            return {}
        latency, hit = self.predicted.latency_s, self.predicted.hit
        cold, warm = summary_of("cold_latency", latency[hit == 0]), summary_of("warm_latency", latency[hit == 1])
        return {"hit_rate": run.hit_rate, "che_hit_rate": expected_hit_rate(store), "loads": float(run.loads),
                "loaded_bytes": run.loaded_bytes} | cold | warm  # fmt: skip

    @property
    def summary(self) -> str:
        """The answer in two lines."""
        m = self.metrics()
        cut = f" cut in {self.slices}" if self.slices > 1 else ""
        machines = " and ".join(f"{count:g} {name}" for name, count in self.devices.items())
        promise = "" if self.limit_s is None else f"; {m['attainment']:.1%} inside {self.limit_s * KILO:g} ms"
        cost = f", {m['usd_per_million']:.2f} USD per million" if "usd_per_million" in m else ""
        error = f", {self.band.words}" if self.band else ""
        hits = f"; hit rate {m['hit_rate']:.1%} (Che {m['che_hit_rate']:.1%})" if "hit_rate" in m else ""
        return (
            f"{', '.join(self.models)} on {machines}{cut} ({self.engine}, {self.label}{error}): "
            f"{m['requests_per_s']:.1f} requests/s{cost}\n"
            f"latency p50 {m['latency_p50_ms']:.2f} ms, p99 {m['latency_p99_ms']:.2f} ms, "
            f"of which network {m['network_mean_ms']:.2f} ms{promise}{hits}"
        )

    def facts(self) -> dict[str, Any]:
        """Return what leaves the program as JSON."""
        return {
            "scenario": self.scenario,
            "scenario_sha256": self.scenario_sha256,
            "workload": self.workload,
            "models": list(self.models),
            "engine": self.engine,
            "devices": dict(self.devices),
            "slices": self.slices,
            "label": self.label,
            "error_band": asdict(self.band) if self.band else None,
            "metrics": self.metrics(),
            "outcomes": self.predicted.counts(),
        }

    def missed(self) -> tuple[str, ...]:
        """Return the promise, if it was not kept."""
        if self.limit_s is None:
            return ()
        found = float(self.predicted.within(self.limit_s).mean())
        if found >= self.wanted_attainment:
            return ()
        return (f"{found:.1%} of the requests kept the limit; {self.wanted_attainment:.1%} were to.",)

    def metrics_frame(self) -> pd.DataFrame:
        """Return the figures as a table."""
        return frame_by_name(self.metrics(), ("metric", "value"))

    def groups_frame(self) -> pd.DataFrame:
        """Return one row per group of requests (class or tenant): counts, percentiles, attainment."""
        import pandas as pd

        run = self.predicted
        names = run.requests.groups or ("all",)
        member = run.requests.group if run.requests.group is not None else np.zeros(len(run.requests), np.int32)
        good, rows = run.within(self.limit_s), []
        for index, name in enumerate(names):
            mine = member == index
            share = float(good[mine].mean()) if mine.any() else float("nan")
            row: dict[str, object] = {"group": name, "requests": int(mine.sum()),
                                      "finished": int(run.finished[mine].sum()), "attainment": share}  # fmt: skip
            rows.append(row | summary_of("latency", run.latency_s[mine & run.finished]))
        return pd.DataFrame(rows)

    def stages_frame(self) -> pd.DataFrame:
        """Return one row per stage: from reaching it to its result, batches, share of the devices' time."""
        import pandas as pd

        rows = []
        for name, stage in self.predicted.stages.items():
            busy = stage.busy_s / (stage.servers * self.predicted.span_s)
            row: dict[str, object] = {"stage": name, "devices": stage.servers, "mean_batch": stage.mean_batch,
                                      "busy_fraction": busy}  # fmt: skip
            rows.append(row | summary_of("stay", stage.end_s - stage.reached_s))
        return pd.DataFrame(rows)

    def requests_frame(self) -> pd.DataFrame:
        """Return one row per request."""
        import pandas as pd

        run = self.predicted
        columns: dict[str, object] = {
            "arrival_s": run.requests.arrival_s,
            "outcome": np.array(OUTCOMES)[run.outcome],
            "latency_s": run.latency_s,
            "network_s": run.network_s,
        }
        if run.requests.group is not None:
            columns["group"] = np.array(run.requests.groups)[run.requests.group]
        return pd.DataFrame(columns)

    def outcomes_frame(self) -> pd.DataFrame:
        """Return requests by outcome."""
        return frame_by_name(self.predicted.counts(), ("outcome", "requests"))


def expected_hit_rate(store: Store) -> float:
    """Return the hit rate of a store of models by Che's approximation; each device holds its own models."""
    popularity, size = np.array(store.popularity), np.array(store.size_bytes)
    hits = 0.0
    for device in range(min(store.devices, len(popularity))):
        mine = slice(device, None, store.devices)
        share = popularity[mine].sum()
        hits += float((popularity[mine] * che(popularity[mine] / share, store.memory_bytes, size[mine])).sum())
    return hits
