"""Speed and memory of the serving engine, each figure beside its goal.

Run it from the project's folder on an idle machine: ``python benchmarks/serving.py [--quick] [--dynamo PYTHON]``.
Figures are CPU seconds of one thread, medians of several runs; compilation and input are outside. ``--dynamo`` names a
Python that has ai-dynamo 1.4.2; its replay then runs the same work (100,000 requests, 1000 in, 200 out, 8 replicas), as
does the obvious twin of the tests, one event per iteration and object per request. ``--day FILE`` plays a ServeGen day
at a hundred times its rate too, some ten minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from simulator.engine.serving.compiled import COMPILED, jit_entry
from simulator.engine.serving.fleet.engine_class import EngineClass, StepTimes
from simulator.engine.serving.fleet.heaps import schedule
from simulator.engine.serving.fleet.layout import NAME, TIME, Fleet, Ints
from simulator.engine.serving.fleet.run import FleetRun, Replicas, Rules
from simulator.engine.serving.service import Service
from simulator.engine.serving.windows import serve_in_windows
from simulator.foundation.randomness import Streams
from simulator.foundation.units import KIBI, MEBI
from simulator.workload.client_traces import client_stream
from simulator.workload.requests import Chains, Requests


def engine(**changes: Any) -> EngineClass:
    """Return an engine of 6 ms + 40 us a token, 50 ns a token of context."""
    times = StepTimes(dense=tuple(6e-3 + 4e-5 * m for m in range(2049)), per_context=5e-8, per_pair=1e-9)
    return replace(EngineClass(times=times, blocks=25_000), **changes)


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


def cases(quick: bool) -> list[Row]:
    """Return requests per CPU second of every kind of run."""
    scale = 10 if quick else 1
    runs = 1 if quick else 3
    rules = Rules(router="power-of-two", keep_gaps=False)
    timed(requests(100, 8.0), [Replicas(engine=lean(), count=2)], rules, 1)
    found = []

    def case(
        name: str, goal: float, n: int, rate: float, pools: list[Replicas], how: Rules = rules, prefixes: bool = False
    ) -> float:
        n //= scale
        seconds = timed(requests(n, rate, prefixes=prefixes), pools, how, runs)
        found.append(Row(name=f"{name}, {n:,} requests", goal=goal, found=n / seconds, unit="requests/s"))
        return seconds

    one = Rules(keep_gaps=False)
    many = [Replicas(engine=lean(), count=1024)]
    case("G2 one replica, 8 /s", 5e6, 1_000_000, 8.0, [Replicas(engine=lean(), count=1)], one)
    case("G2 one replica, 2 /s", 5e6, 1_000_000, 2.0, [Replicas(engine=lean(), count=1)], one)
    half = case("G3 1,024 replicas, power of two", 1e6, 1_000_000, 8.0 * 1024, many)
    twice = case("G3 1,024 replicas, power of two", 1e6, 2_000_000, 8.0 * 1024, many)
    case("G3 1,024 replicas, least requests", 1e6, 300_000, 8.0 * 1024, many,
         Rules(router="least-requests", keep_gaps=False))  # fmt: skip
    everything = engine(blocks=6_000, max_num_batched_tokens=2048, prefix_block_tokens=128)
    case("chunks, preemption, prefix cache, 8 replicas", 5e5, 500_000, 80.0, [Replicas(engine=everything, count=8)],
         rules, True)  # fmt: skip
    found.append(Row(name="G11 growth with twice the requests", goal=2.3, found=twice / half, unit="x", most=True))
    if not quick:
        seconds = case("G4 1,024 replicas", 10e6 / 15, 10_000_000, 8.0 * 1024, many)
        found.append(Row(name="G4 ten million requests", goal=15.0, found=seconds, unit="s", most=True))
    found.append(Row(name="G4 memory", goal=100.0, found=bytes_per_request(), unit="B/request", most=True))
    wide = case("1,024 replicas at 1,024 /s", 1e6, 300_000, 1024.0, many)
    wider = case("16,384 replicas at 1,024 /s", 1e6, 300_000, 1024.0, [Replicas(engine=lean(), count=16_384)])
    found.append(Row(name="G12 growth with 16 times the replicas", goal=1.1, found=wider / wide, unit="x", most=True))
    return found


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure and its goal: at least so much, or ``most`` so much."""

    name: str
    goal: float
    found: float
    unit: str
    most: bool = False

    def __str__(self) -> str:
        kept = self.found <= self.goal if self.most else self.found >= self.goal
        return (f"{self.name:56s} {self.found:>14,.4g} {self.unit:12s} goal {'<=' if self.most else '>='} "
                f"{self.goal:>10,.4g}  {'kept' if kept else 'MISSED'}")  # fmt: skip


def bytes_per_request() -> float:
    """Return the bytes that a request takes: its columns, and its rows in a lean run."""
    n = 100_000
    load = requests(n, 8192.0)
    run = FleetRun(load, [Replicas(engine=lean(), count=1024)], Rules(keep_gaps=False))
    columns = (load.arrival_s, load.prompt, load.output, run.fleet.times, run.fleet.facts, run.fleet.later)
    return sum(column.nbytes for column in columns) / n


@jit_entry
def hold(fleet: Fleet, gaps: Ints, events: int) -> int:
    """Take the earliest of the pending events and put it off, so many times: the event list alone."""
    time = 0
    for i in range(events):
        name = fleet.agenda[0, NAME]
        time = fleet.agenda[0, TIME]
        schedule(fleet, name, time + gaps[i & 0xFFFF])
    return time


def event_list(pending: int, events: int) -> float:
    """Return events per CPU second of the engine's event list."""
    run = FleetRun(requests(10, 8.0), [Replicas(engine=lean(), count=pending)], Rules(keep_gaps=False))
    gaps = np.random.default_rng(0).exponential(1e9, 0x10000).astype(np.int64) + 1
    for r in range(pending):
        schedule(run.fleet, r, int(gaps[r]))
    hold(run.fleet, gaps, 10)
    begin = time.process_time()
    hold(run.fleet, gaps, events)
    return events / (time.process_time() - begin)


def without_kernel(n: int) -> float:
    """Return requests per CPU second of one replica where numba is missing."""
    command = [sys.executable, __file__, "--interpreted", str(n)]
    plain = {**os.environ, "RACKCAST_NO_JIT": "1"}
    run = subprocess.run(command, check=True, capture_output=True, text=True, env=plain)
    return float(run.stdout)


def twin(n: int) -> float:
    """Return requests per CPU second of the tests' twin, on the work of :func:`same_work`."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.engine.serving import slow_twin
    from tests.engine.serving.test_fleet_twin import twin_of, twin_settings

    arrival = np.cumsum(np.random.default_rng(0).exponential(1 / 80, n))
    load = Requests(arrival_s=arrival, prompt=np.full(n, 1000, np.int32), output=np.full(n, 200, np.int32))
    busy = engine(blocks=20_000, max_num_batched_tokens=2048)
    asked, settings = twin_of(load, busy, None), twin_settings(busy)
    begin = time.process_time()
    slow_twin.serve(asked, settings, 8)
    return n / (time.process_time() - begin)


def day(trace: Path) -> tuple[float, float]:
    """Return the requests of a recorded day at 100 times its rate, and the CPU seconds it takes in windows."""
    stream = client_stream(trace, streams=Streams(0), scale=100.0)
    service = Service(pools=(Replicas(engine=lean(), count=8192),), rules=Rules(router="power-of-two", keep_gaps=False))
    begin = time.process_time()
    played = serve_in_windows(stream, service)
    return float(sum(played.counts().values())), time.process_time() - begin


def cli_seconds(*arguments: str) -> float:
    """Return the CPU seconds of a command in a process of its own, its caches warm."""
    command = [sys.executable, "-m", "simulator", *arguments]
    subprocess.run(command, check=True, capture_output=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def same_work() -> float:
    """Return the CPU seconds of 100,000 requests, 1000 in, 200 out, on 8 replicas by round robin."""
    n = 100_000
    arrival = np.cumsum(np.random.default_rng(0).exponential(1 / 80, n))
    load = Requests(arrival_s=arrival, prompt=np.full(n, 1000, np.int32), output=np.full(n, 200, np.int32))
    busy = engine(blocks=20_000, max_num_batched_tokens=2048)
    return timed(load, [Replicas(engine=busy, count=8)], Rules(keep_gaps=False), 5)


def dynamo(python: str) -> float:
    """Return the CPU seconds of Dynamo's replay of the same work, a process of its own."""
    settings = {"block_size": 16, "num_gpu_blocks": 20000, "max_num_batched_tokens": 2048, "max_num_seqs": 256}
    with tempfile.TemporaryDirectory() as folder:
        command = [python, "-m", "dynamo.replay", "--input-tokens", "1000", "--output-tokens", "200", "--request-count",
                   "100000", "--request-rate", "80", "--num-workers", "8", "--replay-mode", "offline", "--report-json",
                   str(Path(folder) / "report.json"), "--extra-engine-args", json.dumps(settings)]  # fmt: skip
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--dynamo", metavar="PYTHON")
    parser.add_argument("--day", metavar="FILE", type=Path)
    parser.add_argument("--interpreted", metavar="N", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.interpreted:
        n = asked.interpreted
        print(n / timed(requests(n, 8.0), [Replicas(engine=lean(), count=1)], Rules(keep_gaps=False), 1))
        return 0
    print(f"compiled: {COMPILED}")
    print(Row(name="G1 event list, 4,096 pending", goal=10e6, found=event_list(4096, 5_000_000), unit="events/s"))
    for row in cases(asked.quick):
        print(row, flush=True)
    print(Row(name="G5 one replica without the kernel", goal=2e5, found=without_kernel(200_000), unit="requests/s"))
    print(Row(name="G13 rackcast --help", goal=0.3, found=cli_seconds("--help"), unit="s", most=True))
    for name in ("gpt3-175b-megatron", "serve-chat-h100"):
        first = cli_seconds("run", f"scenarios/{name}.yaml", "--json")
        print(Row(name=f"G13 first result of {name}", goal=2.0, found=first, unit="s", most=True))
    ours = same_work()
    print(f"100,000 requests, 1000 in, 200 out, 8 replicas: {ours:.3f} s = {100_000 / ours:,.0f} requests/s")
    slow = twin(400)
    print(f"one event per iteration, pure Python: {slow:,.0f} requests/s; ratio {100_000 / ours / slow:,.0f}")
    if asked.dynamo:
        theirs = dynamo(asked.dynamo)
        print(f"Dynamo's replay of the same work: {theirs:.2f} s")
        print(Row(name="times as fast as Dynamo", goal=100.0, found=theirs / ours, unit="x"))
    if asked.day:
        n, seconds = day(asked.day)
        print(f"a day at 100 times its rate: {n:,.0f} requests in {seconds:.0f} s = {n / seconds:,.0f} requests/s")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBI / MEBI:.0f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
