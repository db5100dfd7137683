"""Speed and memory of the serving engine: goals G1 to G5 and G11 to G14 of the design, each figure beside its goal.

Run it from the project's folder on an idle machine: ``python benchmarks/serving.py [--quick] [--dynamo PYTHON]``.
Speeds are CPU seconds of one thread, medians of several runs; compilation and input are outside. The last columns are
the CPU and wall seconds that measuring a row took, input and processes included. ``--dynamo`` names a Python that has
ai-dynamo 1.4.2; its replay then runs the same work (100,000 requests, 1000 in, 200 out, 8 replicas), as does the
obvious twin of the tests, one event per iteration and object per request. ``--day FILE`` plays a ServeGen day at a
hundred times its rate too, some six minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

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
from simulator.study.workers import spread
from simulator.workload.client_traces import client_stream
from simulator.workload.requests import Chains, Requests

ROOT = Path(__file__).parents[1]
ONE = Rules(keep_gaps=False)
POWER_OF_TWO = Rules(router="power-of-two", keep_gaps=False)
LEAST_REQUESTS = Rules(router="least-requests", keep_gaps=False)


def engine(**changes: object) -> EngineClass:
    """Return an engine of 6 ms + 40 us a token, 50 ns a token of context."""
    times = StepTimes(dense=tuple(6e-3 + 4e-5 * m for m in range(2049)), per_context=5e-8, per_pair=1e-9)
    return EngineClass(**({"times": times, "blocks": 25_000} | changes))  # type: ignore[arg-type]


def lean(count: int) -> list[Replicas]:
    """Return replicas with whole reservations and prompts first."""
    plain = engine(preemption="never", chunked_prefill=False, decode_first=False, block_size=16)
    return [Replicas(engine=plain, count=count)]


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


def equal_requests(n: int) -> Requests:
    """Return requests of 1000 tokens in and 200 out, 80 a second."""
    arrival = np.cumsum(np.random.default_rng(0).exponential(1 / 80, n))
    return Requests(arrival_s=arrival, prompt=np.full(n, 1000, np.int32), output=np.full(n, 200, np.int32))


def chunking() -> EngineClass:
    """Return the engine of Dynamo's replay: chunked prefill, blocks on demand."""
    return engine(blocks=20_000, max_num_batched_tokens=2048)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure and its goal, if there is one: at least so much, or ``most`` so much."""

    name: str
    found: float
    unit: str
    goal: float | None = None
    most: bool = False

    def __str__(self) -> str:
        row = f"{self.name:58s} {self.found:>12,.4g} {self.unit:10s}"
        if self.goal is None:
            return f"{row} {'':20s}"
        kept = self.found <= self.goal if self.most else self.found >= self.goal
        return f"{row} {'<=' if self.most else '>='} {self.goal:>9,.4g} {'kept' if kept else 'MISSED':6s}"


def seconds_of(load: Requests, pools: list[Replicas], rules: Rules) -> float:
    """Return the CPU seconds of serving everything once."""
    run = FleetRun(load, pools, rules, compiled=COMPILED)
    begin = time.process_time()
    run.finish()
    found = time.process_time() - begin
    assert run.done
    return found


def median_of(load: Requests, pools: list[Replicas], rules: Rules, runs: int) -> float:
    """Return the median CPU seconds of several runs."""
    return statistics.median(seconds_of(load, pools, rules) for _ in range(runs))


def one_process(quick: bool) -> Iterator[Figure]:
    """Yield what the compiled kernel does in this process."""
    scale, runs = (10, 1) if quick else (1, 5)
    n = 1_000_000 // scale
    seconds_of(requests(100, 8.0), lean(2), POWER_OF_TWO)
    yield Figure(name="G1 event list, 4,096 pending", found=event_list(4096, 5 * n), unit="events/s", goal=10e6)
    for rate in (8.0, 2.0):
        seconds = median_of(requests(n, rate), lean(1), ONE, runs)
        yield Figure(name=f"G2 one replica, {rate:g} requests/s", found=n / seconds, unit="requests/s", goal=5e6)
    load = requests(n, 8192.0)
    once = median_of(load, lean(1024), POWER_OF_TWO, runs)
    yield Figure(name="G3 1,024 replicas, power of two", found=n / once, unit="requests/s", goal=1e6)
    seconds = median_of(load, lean(1024), LEAST_REQUESTS, runs)
    yield Figure(name="G3 1,024 replicas, fewest requests", found=n / seconds, unit="requests/s", goal=1e6)
    if not quick:
        seconds = seconds_of(requests(10 * n, 8192.0), lean(1024), POWER_OF_TWO)
        yield Figure(name="G4 ten million requests on 1,024 replicas", found=seconds, unit="s", goal=15, most=True)
        yield Figure(name="G11 ten times the requests", found=seconds / once, unit="times", goal=23, most=True)
    yield Figure(name="G4 memory", found=bytes_per_request(), unit="B/request", goal=100, most=True)
    twice = median_of(requests(2 * n, 8192.0), lean(1024), POWER_OF_TWO, runs)
    yield Figure(name="G11 twice the requests", found=twice / once, unit="times", goal=2.3, most=True)
    wide, wider = in_turn(requests(n, 1024.0), runs)
    yield Figure(name="G12 16,384 replicas, 1,024 requests/s", found=n / wider, unit="requests/s")
    yield Figure(name="G12 16 times the replicas, same requests", found=wider / wide, unit="times", goal=1.1, most=True)
    everything = engine(blocks=6_000, max_num_batched_tokens=2048, prefix_block_tokens=128)
    load = requests(n // 2, 80.0, prefixes=True)
    seconds = median_of(load, [Replicas(engine=everything, count=8)], POWER_OF_TWO, runs)
    yield Figure(
        name="chunks, preemption, prefix cache, 8 replicas", found=n / 2 / seconds, unit="requests/s", goal=5e5
    )


def in_turn(load: Requests, runs: int) -> tuple[float, float]:
    """Return the median CPU seconds on 1,024 and on 16,384 replicas, taken in turn so that a busy hour hits both."""
    pairs = [[seconds_of(load, lean(count), POWER_OF_TWO) for count in (1024, 16_384)] for _ in range(runs)]
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


def bytes_per_request() -> float:
    """Return the bytes that a request takes: its columns, and its rows in a lean run."""
    n = 100_000
    load = requests(n, 8192.0)
    fleet = FleetRun(load, lean(1024), ONE).fleet
    columns = (load.arrival_s, load.prompt, load.output, fleet.times, fleet.facts, fleet.later)
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
    fleet = FleetRun(requests(10, 8.0), lean(pending), ONE).fleet
    gaps = np.random.default_rng(0).exponential(1e9, 0x10000).astype(np.int64) + 1
    for r in range(pending):
        schedule(fleet, r, int(gaps[r]))
    hold(fleet, gaps, 10)
    begin = time.process_time()
    hold(fleet, gaps, events)
    return events / (time.process_time() - begin)


def without_kernel(n: int) -> float:
    """Return requests per CPU second of one replica where numba is missing."""
    command = [sys.executable, __file__, "--interpreted", str(n)]
    run = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | {"RACKCAST_NO_JIT": "1"})
    return float(run.stdout)


def twins(n: int) -> Iterator[Figure]:
    """Yield what the tests' twins do: SimPy processes, and one event per iteration."""
    sys.path.insert(0, str(ROOT))
    from tests.engine.serving import process_twin, slow_twin
    from tests.engine.serving.test_fleet_twin import twin_of, twin_settings

    plain = lean(1)[0].engine
    asked, settings = twin_of(requests(n, 8.0), plain, None), twin_settings(plain)
    begin = time.process_time()
    process_twin.serve(asked, settings)
    speed = n / (time.process_time() - begin)
    yield Figure(name="G5 one replica as SimPy processes", found=speed, unit="requests/s", goal=1e5)
    few = 400
    asked, settings = twin_of(equal_requests(few), chunking(), None), twin_settings(chunking())
    begin = time.process_time()
    slow_twin.serve(asked, settings, 8)
    speed = few / (time.process_time() - begin)
    yield Figure(name="one event per iteration, pure Python, 8 replicas", found=speed, unit="requests/s")


def children() -> float:
    """Return the CPU seconds of all processes that this one has started and that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def cli_seconds(*arguments: str, **environment: str) -> float:
    """Return the CPU seconds of a command in a process of its own."""
    before = children()
    command = [sys.executable, "-m", "simulator", *arguments]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | environment)
    return children() - before


def first_results() -> Iterator[Figure]:
    """Yield what a user waits for: help and small runs, with warm caches and where nothing was ever compiled."""
    cli_seconds("--help")
    yield Figure(name="G13 rackcast --help", found=cli_seconds("--help"), unit="s", goal=0.3, most=True)
    for name in ("gpt3-175b-megatron", "serve-chat-h100"):
        question = ("run", f"scenarios/{name}.yaml", "--json")
        cli_seconds(*question)
        found = statistics.median(cli_seconds(*question) for _ in range(3))
        yield Figure(name=f"G13 first result of {name}", found=found, unit="s", goal=2.0, most=True)
        with tempfile.TemporaryDirectory() as nothing:
            found = cli_seconds(*question, NUMBA_CACHE_DIR=nothing)
        yield Figure(name="    and where nothing was compiled", found=found, unit="s")


def task(turns: int) -> tuple[int, float]:
    """Spend about a second; return the process and the CPU seconds it has spent since it began."""
    x = 0
    for i in range(turns):
        x = (x * 48271 + i) % 2147483647
    return os.getpid(), time.process_time()


def sweep_speed_up(tasks: int) -> Iterator[Figure]:
    """Yield how much sooner two workers are done with tasks of a second than one."""
    begin = time.process_time()
    task(1_000_000)
    turns = round(1_000_000 / (time.process_time() - begin))
    wall, spent = time.perf_counter(), time.process_time()
    list(spread([(task, (turns,))] * tasks))
    alone, work = time.perf_counter() - wall, time.process_time() - spent
    wall, spent = time.perf_counter(), time.process_time()
    answers = list(spread([(task, (turns,))] * tasks, jobs=2))
    together, here = time.perf_counter() - wall, time.process_time() - spent
    longest = max(seconds for _, seconds in answers)
    yield Figure(name=f"G14 two workers, {tasks} tasks of a second, by the wall", found=alone / together, unit="times",
                 goal=1.8)  # fmt: skip
    yield Figure(name="    by CPU: tasks / (this process and the longest worker)", found=work / (here + longest),
                 unit="times", goal=1.8)  # fmt: skip


def dynamo(python: str) -> float:
    """Return the CPU seconds of Dynamo's replay of the same work, a process of its own."""
    settings = {"block_size": 16, "num_gpu_blocks": 20000, "max_num_batched_tokens": 2048, "max_num_seqs": 256}
    with tempfile.TemporaryDirectory() as folder:
        command = [python, "-m", "dynamo.replay", "--input-tokens", "1000", "--output-tokens", "200", "--request-count",
                   "100000", "--request-rate", "80", "--num-workers", "8", "--replay-mode", "offline", "--report-json",
                   str(Path(folder) / "report.json"), "--extra-engine-args", json.dumps(settings)]  # fmt: skip
        before = children()
        subprocess.run(command, check=True, capture_output=True)
        return children() - before


def beside_dynamo(python: str | None) -> Iterator[Figure]:
    """Yield 100,000 requests on 8 replicas by round robin, here and by Dynamo's replay."""
    ours = median_of(equal_requests(100_000), [Replicas(engine=chunking(), count=8)], ONE, 5)
    yield Figure(name="1000 in, 200 out, 8 replicas", found=100_000 / ours, unit="requests/s")
    if python:
        theirs = dynamo(python)
        yield Figure(name="    the same by Dynamo's replay", found=100_000 / theirs, unit="requests/s")
        yield Figure(name="    times as fast", found=theirs / ours, unit="times", goal=100)


def day(trace: Path) -> Figure:
    """Return the speed of a recorded day at 100 times its rate, on 8,192 replicas, in windows."""
    stream = client_stream(trace, streams=Streams(0), scale=100.0)
    begin = time.process_time()
    played = serve_in_windows(stream, Service(pools=tuple(lean(8192)), rules=POWER_OF_TWO))
    seconds = time.process_time() - begin
    n = sum(played.counts().values())
    return Figure(name=f"a day at 100 times its rate, {n:,} requests", found=n / seconds, unit="requests/s")


def all_figures(asked: argparse.Namespace) -> Iterator[Figure]:
    """Yield every figure."""
    yield from one_process(asked.quick)
    n = 20_000 if asked.quick else 200_000
    yield Figure(name="G5 one replica without the kernel", found=without_kernel(n), unit="requests/s", goal=2e5)
    yield from twins(n // 2)
    yield from first_results()
    yield from sweep_speed_up(4 if asked.quick else 20)
    yield from beside_dynamo(asked.dynamo)
    if asked.day:
        yield day(asked.day)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBI / MEBI
    yield Figure(name="peak memory of this process", found=peak, unit="MiB")


def machine() -> str:
    """Return what the figures were measured with."""
    info = Path("/proc/cpuinfo")
    names = [line.partition(": ")[2] for line in info.read_text().splitlines() if line.startswith("model name")]
    tools = " ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "simpy") if name != "numba" or COMPILED)
    return (f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; "
            f"Python {platform.python_version()} {tools}")  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--dynamo", metavar="PYTHON")
    parser.add_argument("--day", metavar="FILE", type=Path)
    parser.add_argument("--interpreted", metavar="N", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.interpreted:
        print(asked.interpreted / seconds_of(requests(asked.interpreted, 8.0), lean(1), ONE))
        return 0
    print(machine())
    print(f"{'':58s} {'found':>12s} {'':10s}    {'goal':>9s} {'':6s} {'CPU s':>7s} {'wall s':>7s}")
    cpu, wall = time.process_time() + children(), time.perf_counter()
    for figure in all_figures(asked):
        spent, now = time.process_time() + children(), time.perf_counter()
        print(f"{figure} {spent - cpu:>7.1f} {now - wall:>7.1f}", flush=True)
        cpu, wall = spent, now
    print(machine())
    return 0


if __name__ == "__main__":
    sys.exit(main())
