"""Random flows on SimGrid's own fat-tree: routes, ends and seconds, written for ``benchmarks.network`` to play again.

Runs under any Python that has simgrid, without rackcast: ``python simgrid_reference.py HOSTS FLOWS OUT.json``.
SimGrid's fluid model is set to plain max-min sharing (CM02 without TCP's corrections and latencies), the rule that the
flow network follows too.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path

from simgrid import ActivitySet, Comm, Engine, Link

BANDWIDTH = 6.25e9
TREES = {64: ([4, 4, 4], [1, 4, 4]), 1024: ([16, 8, 8], [1, 8, 8]), 16384: ([32, 32, 16], [1, 32, 16])}


def main(hosts: int, flows: int, out: str) -> None:
    engine = Engine(["simgrid", "--cfg=network/model:CM02", "--cfg=network/TCP-gamma:0", "--cfg=network/crosstraffic:0",
                     "--cfg=precision/timing:1e-12", "--log=root.thresh:error"])  # fmt: skip
    down, up = TREES[hosts]
    zone = engine.netzone_root.add_netzone_fatTree(
        "tree", 3, down, up, [1, 1, 1], BANDWIDTH, 0.0, Link.SharingPolicy.SPLITDUPLEX
    )
    zone.set_host_cb(lambda zone, coordinates, number: zone.add_host(f"h{number}", 1e9))
    zone.seal()
    engine.netzone_root.seal()
    draw = random.Random(1)
    ends = [engine.host_by_name(f"h{number}") for number in range(hosts)]
    picked = [(a, (a + draw.randrange(1, hosts)) % hosts) for a in (draw.randrange(hosts) for _ in range(flows))]
    sizes = [draw.lognormvariate(18, 1) for _ in range(flows)]
    numbers: dict[str, int] = {}
    routes = []
    for a, b in picked:
        links, _ = ends[a].route_to(ends[b])
        routes.append([numbers.setdefault(link.name, len(numbers)) for link in links])
    comms: list[Comm] = []

    def actor() -> None:
        for (a, b), size in zip(picked, sizes, strict=True):
            comms.append(Comm.sendto_async(ends[a], ends[b], int(size)))
        ActivitySet(comms).wait_all()

    ends[0].add_actor("all", actor)
    before = time.process_time()
    engine.run()
    seconds = time.process_time() - before
    told = {
        "capacity": [BANDWIDTH] * len(numbers),
        "routes": routes,
        "sizes": [int(size) for size in sizes],
        "ends": [comm.finish_time for comm in comms],
        "cpu_s": seconds,
    }
    Path(out).write_text(json.dumps(told))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
