"""How fast sharding and loading are simulated, and in how much memory: ``python -m benchmarks.data``.

Targets: 10^8 records sharded by size in under 5 s and 2 GB; a million-file epoch over 1,024 loaders in under 10 s.
Each measurement runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from simulator.costs.input import Loader
from simulator.costs.storage import StorageSystem
from simulator.engine.data.job import DataJob
from simulator.engine.data.run import run_data
from simulator.foundation.randomness import Streams
from simulator.foundation.units import GIGA, KIBI
from simulator.mapping.sharding import Request, imbalance, shard, sharders
from simulator.workload.dataset import Dataset, kinds

RECORDS = 100_000_000
SHARDS = 1024
BLOCK = 1 << 20


def sharding(method: str) -> tuple[float, str]:
    """Seconds to shard 10^8 records by size, and what came of it; making the sizes is not counted."""
    rng = np.random.default_rng(0)
    sizes = np.empty(RECORDS, dtype=np.uint32)
    for start in range(0, RECORDS, BLOCK):
        part = sizes[start : start + BLOCK]
        part[:] = rng.integers(1_000, 200_000, size=len(part))
    classes = (np.arange(RECORDS, dtype=np.uint32) % 1000).astype(np.int16) if method == "stratified" else None
    request = Request(records=RECORDS, shards=SHARDS, sizes=sizes, classes=classes, rng=rng)
    start_s = time.perf_counter()
    loads = shard(method, request).loads(sizes)
    return time.perf_counter() - start_s, f"largest shard {imbalance(loads):.3f}x the mean"


def epoch(batch: int) -> tuple[float, str]:
    """Seconds to play one epoch of 10^6 image files over 1,024 loaders, every batch an event of its own."""
    storage = StorageSystem(servers=40, read_bandwidth=2 * GIGA, latency=1e-3)
    loader = Loader(workers=4, cores=4.0, devices_per_node=8, node_bandwidth=25 * GIGA, host_bandwidth=50 * GIGA)
    job = DataJob(
        dataset=Dataset(samples=1_000_000, size=kinds["image"], growth=4.9), loader=loader, storage=storage,
        batch=batch, compute_s=batch * 1e-3, decode_s=2e-3, devices=1024, epochs=1,
    )  # fmt: skip
    start_s = time.perf_counter()
    run = run_data(job, Streams(0))
    last = run.epochs[-1]
    share = last.played_steps / last.steps
    return time.perf_counter() - start_s, f"{last.time_s:.0f} s simulated, {share:.0%} of the steps played"


BENCHMARKS: dict[str, Callable[[], tuple[float, str]]] = {
    **{f"shard 10^8 records, {method}": (lambda method=method: sharding(method)) for method in sharders},
    "epoch of 10^6 files, 1,024 loaders, batch 32": lambda: epoch(32),
    "epoch of 10^6 files, 1,024 loaders, batch 4": lambda: epoch(4),
}


def main() -> None:
    """Run every benchmark in a fresh process and print a table, or one of them by name."""
    if len(sys.argv) > 1:
        seconds, told = BENCHMARKS[sys.argv[1]]()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBI / GIGA
        print(f"| {sys.argv[1]} | {seconds:.2f} | {peak:.2f} | {told} |")
        return
    print("| benchmark | seconds | peak GB | result |\n|---|---|---|---|", flush=True)
    for name in BENCHMARKS:
        subprocess.run([sys.executable, "-m", "benchmarks.data", name], check=True)


if __name__ == "__main__":
    main()
