"""What a played service of models that answer in one pass came to: figures, by group, by stage, by request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.costs.caching import che
from simulator.engine.serving.predictor import OUTCOMES, Predicted, StageRun, Store
from simulator.foundation.units import HOUR, KILO, MEGA
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
    "queueing": "reaching the devices to the start of the first batch",
    "dropped": "share of all requests that were turned away or gave up, after their last attempt",
    "retries_per_request": "attempts after the first, of all requests",
    "replica_hours": "of replicas that were up, starting and draining ones too",
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
        replicas: devices or parts of devices, those that may start later too.
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
    replicas: int
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
            "dropped": float((~done).mean()) if len(done) else float("nan"),
            "retries_per_request": float(run.retries.mean()) if len(done) else float("nan"),
            "requests_per_s": float(done.sum()) / span,
            "goodput_per_s": float(good.sum()) / span,
        }
        found |= summary_of("latency", run.latency_s[done])
        found |= summary_of("network", run.network_s[done])
        found |= summary_of("inside", (run.latency_s - run.network_s)[done])
        found |= summary_of("queueing", run.queueing_s[done])
        for name, stage in run.stages.items():
            found[f"{name}_mean_batch"] = stage.mean_batch
            found[f"{name}_busy_fraction"] = _busy(stage, span)
        found |= self._catalogue()
        up = self._up_s()
        if run.stages:
            found["replica_hours"] = up * self.replicas / HOUR
        if self.usd_per_s is not None and done.any():
            found["usd_per_million"] = self.usd_per_s * up / float(done.sum()) * MEGA
        if self.watts is not None and done.any():
            found["joule_per_request"] = self.watts * up / float(done.sum())
        return found

    def _up_s(self) -> float:
        """Return the seconds that the devices in use were paid for, in the mean."""
        paid = [stage.up_s for stage in self.predicted.stages.values() if stage.up_s is not None]
        return sum(paid) / self.replicas if paid else self.predicted.span_s

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
            busy = _busy(stage, self.predicted.span_s)
            row: dict[str, object] = {"stage": name, "devices": stage.servers, "mean_batch": stage.mean_batch,
                                      "busy_fraction": busy}  # fmt: skip
            rows.append(row | summary_of("stay", stage.end_s - stage.reached_s))
        return pd.DataFrame(rows)

    def requests_frame(self) -> pd.DataFrame:
        """Return one row per request."""
        return prediction_frame(self.predicted)

    def timeline_frame(self) -> pd.DataFrame:
        """Return one row per look: replicas, waiting and running requests; none where a store holds the models."""
        import pandas as pd

        line = self.predicted.timeline
        return pd.DataFrame({"time_s": line.time_s, "ready": line.ready, "wanted": line.wanted, "waiting": line.waiting,
                             "running": line.running})  # fmt: skip

    def outcomes_frame(self) -> pd.DataFrame:
        """Return requests by outcome."""
        return frame_by_name(self.predicted.counts(), ("outcome", "requests"))


def prediction_frame(run: Predicted) -> pd.DataFrame:
    """Return one row per request."""
    import pandas as pd

    columns: dict[str, object] = {
        "arrival_s": run.arrival_s,
        "outcome": np.array(OUTCOMES)[run.outcome],
        "queueing_s": run.queueing_s,
        "latency_s": run.latency_s,
        "network_s": run.network_s,
        "replica": run.replica,
        "retries": run.retries,
    }
    if run.requests.group is not None:
        columns["group"] = np.array(run.requests.groups)[run.requests.group]
    return pd.DataFrame(columns)


def _busy(stage: StageRun, span_s: float) -> float:
    """Return the share of the devices' paid time in which they computed."""
    up = stage.servers * span_s if stage.up_s is None else stage.up_s
    return stage.busy_s / up if up else float("nan")


def expected_hit_rate(store: Store) -> float:
    """Return the hit rate of a store of models by Che's approximation; each device holds its own models."""
    popularity, size = np.array(store.popularity), np.array(store.size_bytes)
    hits = 0.0
    for device in range(min(store.devices, len(popularity))):
        mine = slice(device, None, store.devices)
        share = popularity[mine].sum()
        hits += float((popularity[mine] * che(popularity[mine] / share, store.memory_bytes, size[mine])).sum())
    return hits
