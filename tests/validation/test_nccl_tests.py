"""Logs of nccl-tests are read, and a log made by the model gives its constants back."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.costs.collectives import collective_cost, load_fabrics, reach
from simulator.foundation.errors import InputError
from simulator.topology.tiers import Tier
from simulator.validation.nccl_tests import read_nccl_log
from simulator.validation.network_measured import calibrate

HEAD = """# nThread 1 nGpus 8 minBytes 1024 maxBytes 1073741824 step: 2(factor) warmup iters: 5 iters: 20
# Collective test starting: all_reduce_perf
# Using devices
#  Rank  0 Group  0 Pid  17 on node-a device  0 [0000:07:00] NVIDIA H100 80GB HBM3
#  Rank  1 Group  0 Pid  17 on node-a device  1 [0000:0b:00] NVIDIA H100 80GB HBM3
#
#                                                              out-of-place                       in-place
#       size         count      type   redop    root     time   algbw   busbw #wrong     time   algbw   busbw #wrong
#        (B)    (elements)                               (us)  (GB/s)  (GB/s)            (us)  (GB/s)  (GB/s)
"""
LINE = "{:12d} {:13d}     float     sum      -1   {:8.2f}    1.00    1.00      0   {:8.2f}    1.00    1.00      0\n"
TAIL = "# Out of bounds values : 0 OK\n# Avg bus bandwidth    : 123.4\n"


def log(tmp_path, points, head=HEAD):
    path = tmp_path / "run.log"
    path.write_text(head + "".join(LINE.format(size, size // 4, us, us) for size, us in points) + TAIL)
    return path


def test_a_log_tells_its_collective_its_ranks_and_its_times(tmp_path):
    told = read_nccl_log(log(tmp_path, [(1024, 9.5), (2048, 9.75)]))
    assert (told.operation, told.ranks, told.nodes) == ("all-reduce", 2, 1)
    assert told.device == "NVIDIA H100 80GB HBM3"
    assert told.sizes == (1024.0, 2048.0)
    assert told.seconds == pytest.approx((9.5e-6, 9.75e-6))


def test_a_log_without_a_heading_still_gives_its_times(tmp_path):
    told = read_nccl_log(log(tmp_path, [(4096, 12.0)], head=""))
    assert (told.operation, told.ranks, told.seconds) == ("", 0, pytest.approx((12.0e-6,)))


@pytest.mark.parametrize(("text", "message"), [("hello\n", "no line of nccl-tests"), (None, "cannot be read")])
def test_what_is_no_log_says_so(tmp_path, text, message):
    path = tmp_path / "x.log"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_nccl_log(path)


def test_calibration_finds_the_machine_that_wrote_the_log():
    truth = load_fabrics()["nvlink4"].with_constants(launch=9e-6, hop=1.5e-6, link_fraction=0.7)
    tier = Tier(name="nvlink", span=4, bandwidth=450e9, port_bandwidth=450e9, latency=0.0)
    sizes = 2.0 ** np.arange(10, 31)
    times = collective_cost("all-gather", sizes, reach(4, (tier,), (truth,))).time
    found = calibrate(load_fabrics()["nvlink4"], "all-gather", sizes.tolist(), times.tolist(), ranks=4, rate=450e9)
    again = collective_cost("all-gather", sizes, reach(4, (tier,), (found,))).time
    assert again == pytest.approx(times, rel=0.03)
    assert found.link_fraction == pytest.approx(0.7, rel=0.05)


def test_too_few_sizes_are_refused():
    with pytest.raises(InputError, match="measure from 1 KiB"):
        calibrate(load_fabrics()["nvlink4"], "all-reduce", [1024.0], [1e-5], ranks=8, rate=450e9)
