"""Speed and memory of the serving engine: one replica, a thousand behind a router, everything switched on.

Run it alone on an idle machine: ``python benchmarks/serving.py [--quick] [--dynamo PYTHON]``. Each case is the median
of several runs in one process, CPU seconds of the kernel alone (compilation and input are outside). ``--dynamo`` names
a Python that has ai-dynamo 1.4.2; its replay then runs the same work (100,000 requests, 1000 in, 200 out, 8 replicas).
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from simulator.engine.serving.compiled import COMPILED
from simulator.engine.serving.fleet.engine_class import EngineClass, StepTimes
from simulator.engine.serving.fleet.run import FleetRun, Replicas, Rules
from simulator.foundation.units import KIBI, MEBI
from simulator.workload.requests import Chains, Requests


def engine(**changes: object) -> EngineClass:
    """Return an engine of 6 ms + 40 us a token, 50 ns a token of context."""
    times = StepTimes(dense=tuple(6e-3 + 4e-5 * m for m in range(2049)), per_context=5e-8, per_pair=1e-9)
    return EngineClass(**({"times": times, "blocks": 25_000} | changes))  # type: ignore[arg-type]


def lean() -> EngineClass:
    """Return the engine with whole reservations and prompts first."""
    return engine(preemption="never", chunked_prefill=False, decode_first=False, block_size=16)


def requests(n: int, rate: float, *, prefixes: bool = False) -> Requests:
    """Return log-normal requests, mean 249 output tokens; with ``prefixes``, a shared one of 128 tokens for most."""
    g = np.random.default_rng(1)
    prompt = np.clip(g.lognormal(6.0, 1.0, n), 1, 8000).astype(np.int32)
    output = np.clip(g.lognormal(5.2, 0.8, n), 1, 2000).astype(np.int32)
    chains = None
    if prefixes:
        held = (prompt >= 128).astype(np.int64)
        chains = Chains(start=np.concatenate([[0], np.cumsum(held)]),
                        blocks=g.integers(0, 64, int(held.sum())).astype(np.int32), block_tokens=128)  # fmt: skip
    return Requests(arrival_s=np.cumsum(g.exponential(1 / rate, n)), prompt=prompt, output=output, chains=chains)


def timed(load: Requests, pools: list[Replicas], rules: Rules, runs: int) -> float:
    """Return the median CPU seconds of serving everything."""
    seconds = []
    for _ in range(runs):
        run = FleetRun(load, pools, rules, compiled=COMPILED)
        begin = time.process_time()
        run.finish()
        seconds.append(time.process_time() - begin)
        assert run.done
    return statistics.median(seconds)


def cases(quick: bool) -> list[tuple[str, int, float]]:
    """Return (name, requests, requests per CPU second)."""
    scale = 10 if quick else 1
    runs = 1 if quick else 5
    rules = Rules(router="power-of-two", keep_gaps=False)
    timed(requests(100, 8.0), [Replicas(engine=lean(), count=2)], rules, 1)
    found = []

    def case(name: str, n: int, rate: float, pools: list[Replicas], how: Rules = rules, prefixes: bool = False) -> None:
        n //= scale
        found.append((name, n, n / timed(requests(n, rate, prefixes=prefixes), pools, how, runs)))

    one = Rules(keep_gaps=False)
    case("one replica", 1_000_000, 8.0, [Replicas(engine=lean(), count=1)], one)
    case("one replica, low load", 1_000_000, 2.0, [Replicas(engine=lean(), count=1)], one)
    case("1,024 replicas, power of two", 1_000_000, 8.0 * 1024, [Replicas(engine=lean(), count=1024)])
    case("1,024 replicas, least requests", 300_000, 8.0 * 1024, [Replicas(engine=lean(), count=1024)],
         Rules(router="least-requests", keep_gaps=False))  # fmt: skip
    everything = engine(blocks=6_000, max_num_batched_tokens=2048, prefix_block_tokens=128)
    case(
        "8 replicas, chunks, preemption, prefix cache",
        500_000,
        80.0,
        [Replicas(engine=everything, count=8)],
        rules,
        True,
    )
    if not quick:
        case("10 M requests on 1,024 replicas", 10_000_000, 8.0 * 1024, [Replicas(engine=lean(), count=1024)])
    return found


def same_work() -> float:
    """Return the CPU seconds of 100,000 requests, 1000 in, 200 out, on 8 replicas by round robin."""
    n = 100_000
    arrival = np.cumsum(np.random.default_rng(0).exponential(1 / 80, n))
    load = Requests(arrival_s=arrival, prompt=np.full(n, 1000, np.int32), output=np.full(n, 200, np.int32))
    busy = engine(blocks=20_000, max_num_batched_tokens=2048)
    return timed(load, [Replicas(engine=busy, count=8)], Rules(keep_gaps=False), 5)


def dynamo(python: str) -> float:
    """Return the wall seconds of Dynamo's replay of the same work, by its own process."""
    settings = {"block_size": 16, "num_gpu_blocks": 20000, "max_num_batched_tokens": 2048, "max_num_seqs": 256}
    with tempfile.TemporaryDirectory() as folder:
        command = [python, "-m", "dynamo.replay", "--input-tokens", "1000", "--output-tokens", "200", "--request-count",
                   "100000", "--request-rate", "80", "--num-workers", "8", "--replay-mode", "offline", "--report-json",
                   str(Path(folder) / "report.json"), "--extra-engine-args", json.dumps(settings)]  # fmt: skip
        begin = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - begin


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--dynamo", metavar="PYTHON")
    asked = parser.parse_args()
    print(f"compiled: {COMPILED}")
    for name, n, speed in cases(asked.quick):
        print(f"{name:48s} {n:>11,} requests  {speed:>12,.0f} requests/s")
    ours = same_work()
    print(f"100,000 requests, 1000 in, 200 out, 8 replicas: {ours:.3f} s = {100_000 / ours:,.0f} requests/s")
    if asked.dynamo:
        theirs = dynamo(asked.dynamo)
        print(f"Dynamo replay of the same work: {theirs:.1f} s; ratio {theirs / ours:.0f}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBI / MEBI:.0f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
