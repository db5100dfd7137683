"""What a played service came to: figures, by class, over time, by request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from simulator.engine.serving.service import Limits, Served
from simulator.engine.serving.tally import QUANTILE_ERROR, Exact, Spread, Totals
from simulator.engine.serving.windows import Streamed
from simulator.foundation.units import GIGA, HOUR, KILO, MEGA
from simulator.profiles.error_bands import ErrorBand

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
PERCENTILES: Final = (50.0, 90.0, 95.0, 99.0)

#: what each figure means
DEFINITIONS: Final[Mapping[str, str]] = {
    "requests": "requests that arrived",
    "requests_per_s": "finished, from the first arrival to the last end",
    "goodput_per_s": "finished inside every limit, per second",
    "attainment": "share of all requests that finished inside every limit",
    "output_tokens_per_s": "generated tokens of finished requests, per second",
    "ttft": "arrival to first token, queueing and network included",
    "tpot": "mean gap between a request's tokens after the first",
    "itl": "gap between two tokens",
    "latency": "arrival to last token",
    "queueing": "arrival at a replica to first admission to a batch",
    "prefix_hit_rate": "prompt tokens that were in a prefix cache, of all",
    "device_hit_rate": "prompt tokens found in device memory, of all; by tier, and counted at every admission",
    "cache_loading_fraction": "share of the replicas' time in which a step waited for prefixes of lower tiers",
    "usd_per_mtok": "rent of the replicas that were up, per million generated tokens",
    "joule_per_token": "energy of the replicas that were up, per generated token",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingResult:
    """One played service.

    Attributes:
        served: columns by request; of a run in windows, what all came to.
        usd_per_replica_s, watts_per_replica: of the machines a replica stands on; None where not known.
        memory: bytes of one device by part.
        label: origin of the inference constants: ``calibrated``, ``measured`` or ``assumed``.
        tiers: of the prefix cache below device memory, by name; those of each replica.
        pool: the name of the one that replicas share.
        band: errors on measured generation by this class of device; None where there is none.
    """

    scenario: str
    scenario_sha256: str
    workload: str
    model: str
    engine: str
    device: str
    devices_per_replica: int
    replicas: int
    served: Served | Streamed
    limits: Limits
    wanted_attainment: float
    usd_per_replica_s: float | None
    watts_per_replica: float | None
    memory: Mapping[str, float]
    label: str
    band: ErrorBand | None
    tiers: tuple[str, ...] = ()
    pool: str | None = None

    def metrics(self) -> dict[str, float]:
        """Return the figures by name, units in the names; see :data:`DEFINITIONS`."""
        span, all_ = self.served.span_s, self.served.totals(self.limits)
        found = {
            "requests": float(all_.requests),
            "finished": float(all_.finished),
            "attainment": _share(all_.good, all_.requests),
            "requests_per_s": all_.finished / span,
            "goodput_per_s": all_.good / span,
            "output_tokens_per_s": all_.output_tokens / span,
            "total_tokens_per_s": (all_.output_tokens + all_.prompt_tokens) / span,
        }
        for name, spread in all_.series.items():
            found |= spread_summary(name, spread)
        for percentile in PERCENTILES:
            found[f"itl_p{percentile:.0f}_ms"] = self.served.fleet.itl_s(percentile / 100) * KILO
        return found | self._machines(all_)

    def series(self) -> Mapping[str, Spread]:
        """Return what is summed up by percentiles, in seconds."""
        return self.served.totals(self.limits).series

    def _machines(self, all_: Totals) -> dict[str, float]:
        served, tokens = self.served, all_.output_tokens
        up = served.timeline.replica_seconds
        columns = served.fleet.replica_columns()
        found = {
            "replica_hours": up / HOUR,
            "busy_fraction": float(columns["busy_s"].sum()) / up if up else float("nan"),
            "mean_batch": float(columns["decoded_tokens"].sum()) / max(1.0, float(columns["iterations"].sum())),
            "cache_used_mean": _mean(served.timeline.cache_used),
            "preemptions": float(columns["preemptions"].sum()),
            "prefix_hit_rate": _share(all_.reused_tokens, all_.asked_tokens),
        }
        if self.tiers or self.pool is not None:
            tokens_by_tier = columns["found_tokens"].sum(axis=0).tolist()
            pool = () if self.pool is None else ((self.pool, tokens_by_tier[-1]),)
            for name, tokens_found in (*zip(("device", *self.tiers), tokens_by_tier, strict=False), *pool):
                found[f"{name}_hit_rate"] = _share(tokens_found, all_.asked_tokens)
            found["cache_loading_fraction"] = float(columns["loading_s"].sum()) / up if up else float("nan")
        if self.usd_per_replica_s is not None and tokens:
            found["cost_usd"] = up * self.usd_per_replica_s
            found["usd_per_mtok"] = found["cost_usd"] / tokens * MEGA
        if self.watts_per_replica is not None and tokens:
            found["joule_per_token"] = up * self.watts_per_replica / tokens
        return found

    @property
    def summary(self) -> str:
        """The answer in three lines."""
        m = self.metrics()
        kept = (("TTFT", self.limits.ttft_s), ("TPOT", self.limits.tpot_s), ("latency", self.limits.latency_s))
        limits = [f"{name} {value * KILO:g} ms" for name, value in kept if value is not None]
        promise = f"{m['attainment']:.1%} inside {', '.join(limits)}" if limits else f"{m['finished']:.0f} finished"
        cost = f", {m['usd_per_mtok']:.2f} USD per million tokens" if "usd_per_mtok" in m else ""
        error = f", {self.band.words}" if self.band else ""
        return (
            f"{self.model} on {self.replicas} x {self.devices_per_replica} {self.device} ({self.engine}): "
            f"{m['requests_per_s']:.2f} requests/s, {m['output_tokens_per_s']:.0f} tokens/s{cost}\n"
            f"TTFT p50 {m['ttft_p50_ms']:.0f} ms, p99 {m['ttft_p99_ms']:.0f} ms; TPOT p50 {m['tpot_p50_ms']:.1f} ms, "
            f"p99 {m['tpot_p99_ms']:.1f} ms; {promise} ({self.label}{error})"
        )

    def facts(self) -> dict[str, Any]:
        """Return what leaves the program as JSON."""
        return {
            "scenario": self.scenario,
            "scenario_sha256": self.scenario_sha256,
            "workload": self.workload,
            "model": self.model,
            "engine": self.engine,
            "device": self.device,
            "replicas": self.replicas,
            "devices_per_replica": self.devices_per_replica,
            "label": self.label,
            "error_band": asdict(self.band) if self.band else None,
            "metrics": self.metrics(),
            "outcomes": self.served.counts(),
            "memory_bytes": dict(self.memory),
            "quantile_error": QUANTILE_ERROR if isinstance(self.served, Streamed) else 0.0,
        }

    def missed(self) -> tuple[str, ...]:
        """Return the promise, if it was not kept."""
        if self.limits == Limits():
            return ()
        all_ = self.served.totals(self.limits)
        found = _share(all_.good, all_.requests)
        if found >= self.wanted_attainment:
            return ()
        return (f"{found:.1%} of the requests kept the limits; {self.wanted_attainment:.1%} were to.",)

    def metrics_frame(self) -> pd.DataFrame:
        """Return the figures as a table."""
        return frame_by_name(self.metrics(), ("metric", "value"))

    def groups_frame(self) -> pd.DataFrame:
        """Return one row per group of requests (class or tenant): counts, percentiles, attainment."""
        import pandas as pd

        rows = []
        for name, mine in self.served.by_group(self.limits).items():
            row: dict[str, object] = {
                "group": name,
                "requests": mine.requests,
                "finished": mine.finished,
                "attainment": _share(mine.good, mine.requests),
            }
            for key, spread in mine.series.items():
                row |= spread_summary(key, spread)
            rows.append(row)
        return pd.DataFrame(rows)

    def timeline_frame(self) -> pd.DataFrame:
        """Return one row per look: replicas, waiting and running requests, share of the cache in use."""
        import pandas as pd

        line = self.served.timeline
        return pd.DataFrame({"time_s": line.time_s, "ready": line.ready, "wanted": line.wanted, "waiting": line.waiting,
                             "running": line.running, "cache_used": line.cache_used})  # fmt: skip

    def outcomes_frame(self) -> pd.DataFrame:
        """Return requests by outcome."""
        return frame_by_name(self.served.counts(), ("outcome", "requests"))

    def memory_frame(self) -> pd.DataFrame:
        """Return bytes of one device by part, in GB."""
        import pandas as pd

        return pd.DataFrame({"part": list(self.memory), "gb": [size / GIGA for size in self.memory.values()]})


def requests_frame(served: Served, rows: npt.NDArray[np.bool_] | slice = slice(None)) -> pd.DataFrame:
    """Return one row per request, of some or all."""
    import pandas as pd

    requests = served.requests
    columns: dict[str, npt.NDArray[Any]] = {
        "arrival_s": served.arrival_s,
        "input_tokens": requests.prompt,
        "output_tokens": requests.output,
        "outcome": np.array(served.outcomes)[served.outcome],
        "queueing_s": served.queueing_s,
        "ttft_s": served.ttft_s,
        "tpot_s": served.tpot_s,
        "latency_s": served.latency_s,
        "replica": served.replica,
        "preemptions": served.preemptions,
        "retries": served.retries,
        "cached_tokens": served.reused,
    }
    if requests.group is not None:
        columns["group"] = np.array(requests.groups)[requests.group]
    return pd.DataFrame({name: values[rows] for name, values in columns.items()})


def frame_by_name(values: Mapping[str, float], columns: tuple[str, str]) -> pd.DataFrame:
    """Return one row per name with its value, under two headings."""
    import pandas as pd

    return pd.DataFrame({columns[0]: list(values), columns[1]: list(values.values())})


def summary_of(name: str, values: Floats) -> dict[str, float]:
    """Return mean and percentiles in ms; NaN where there is nothing."""
    return spread_summary(name, Exact(values))


def spread_summary(name: str, spread: Spread) -> dict[str, float]:
    """Return mean and percentiles of a distribution in ms; NaN where there is nothing."""
    quantiles = spread.quantiles([percentile / 100 for percentile in PERCENTILES]) * KILO
    found = {f"{name}_p{p:.0f}_ms": float(q) for p, q in zip(PERCENTILES, quantiles, strict=True)}
    return {f"{name}_mean_ms": spread.mean * KILO} | found


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
