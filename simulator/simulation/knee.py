"""The rate that a service can take: the same requests at many speeds."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.engine.serving.service import serve
from simulator.foundation.errors import InputError
from simulator.scenario import Scenario
from simulator.scenario.serve import ServeWorkload
from simulator.simulation.serving import prepare, result_of

_SHOWN = (
    "requests_per_s", "output_tokens_per_s", "attainment", "goodput_per_s", "ttft_p50_ms", "ttft_p95_ms", "tpot_p50_ms",
    "tpot_p95_ms", "latency_p95_ms", "busy_fraction", "mean_batch",
)  # fmt: skip


def sweep_rates(scenario: Scenario, workload: ServeWorkload, factors: Sequence[float]) -> list[dict[str, float]]:
    """Return a row of figures for every speed of the workload's arrivals; common random numbers throughout.

    Raises:
        InputError: the workload is no service, or its arrivals follow answers, so that they have no rate.
    """
    if not isinstance(workload, ServeWorkload):
        raise InputError("only services have a rate to look for; name a workload of kind serve.")
    prepared = prepare(scenario, workload)
    if prepared.requests.successor is not None:
        raise InputError("requests that follow answers have no rate of their own; give groups or a trace.")
    rows = []
    for factor in factors:
        faster = prepared.requests.faster(factor)
        served = serve(faster, prepared.service, seed=scenario.run.seed)
        metrics = result_of(scenario, workload, prepared, served).metrics()
        rows.append({"factor": factor, "rate_per_s": faster.rate} | {name: metrics[name] for name in _SHOWN})
    return rows


def knee_of(rows: Sequence[dict[str, float]], attainment: float) -> float | None:
    """Return the highest rate up to which every one tried kept the attainment; None if the lowest did not."""
    best = None
    for row in sorted(rows, key=lambda row: row["rate_per_s"]):
        if row["attainment"] < attainment:
            break
        best = row["rate_per_s"]
    return best
