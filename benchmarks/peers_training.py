"""Measured steps of training on A100: our predictions beside those of Calculon, on every row that it can express.

    git clone https://github.com/calculon-ai/calculon && python -m benchmarks.peers_training calculon

Not expressed by it and left out: ZeRO-3 and single layers. Errors are of iteration times; the throughput of
Megatron-LM's rows is turned into one by the FLOP that the paper counts.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Final

import numpy as np

from benchmarks.calculon_found import Calculon
from simulator.foundation.errors import RackcastError
from simulator.foundation.units import MICRO
from simulator.profiles.catalogue import Catalogue, load_catalogue
from simulator.validation.measurements import shipped_tables
from simulator.validation.tables import read_table
from simulator.validation.training import in_units, predict_training_row, run_of

#: micro-batch and chunks per stage of the ten runs of table 1, which print neither, by devices; from Megatron-LM's
#: ``examples/academic_paper_scripts/sc21/run_table_1.sh``
TABLE_1: Final = {32: (16, 1), 64: (16, 1), 128: (16, 1), 256: (8, 1), 512: (4, 1), 1024: (2, 3), 1536: (2, 2),
                  1920: (1, 2), 2520: (1, 3), 3072: (1, 1)}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Signed errors of both on one row."""

    ours: float
    theirs: float


def asked(row: Mapping[str, str]) -> str | None:
    """Return the name of the set that a row belongs to, if both can be asked."""
    if row["model_id"].endswith("one-transformer-layer") or row.get("zero_stage") == "3" or row["cp"] not in ("", "1"):
        return None
    sets = {"korthikanti22": "Korthikanti et al. 2022", "vtrain-single": "vTrain, one node"}
    if row["source_group"] == "megatron-sc21" and row["metric"] == "tflops_per_gpu":
        return "Megatron-LM SC'21, table 1" if row["usable"] == "partial" else "Megatron-LM SC'21, scaling"
    return sets.get(row["source_group"]) if row["metric"] == "iteration_time_s" else None


def as_run(row: Mapping[str, str]) -> dict[str, str]:
    """Return a row with what its scripts say beside it."""
    told = TABLE_1.get(int(float(row["n_accel"])))
    if row["source_group"] != "megatron-sc21" or row["usable"] != "partial" or told is None:
        return dict(row)
    return {**row, "micro_batch_samples": str(told[0]), "vpp": str(told[1])}


def compare(peer: Calculon, catalogue: Catalogue) -> tuple[dict[str, list[Pair]], dict[str, int], dict[str, float]]:
    """Return errors by set, rows that the peer refuses, and CPU seconds that either took."""
    pairs: dict[str, list[Pair]] = defaultdict(list)
    refused: dict[str, int] = defaultdict(int)
    took = {"ours": 0.0, "theirs": 0.0}
    (path,) = [path for path in shipped_tables() if "training" in path.name]
    for measured in read_table(path).rows:
        name = asked(measured.cells)
        if name is None or not measured.value:
            continue
        row = as_run(measured.cells)
        run = run_of(row, catalogue)
        start = process_time()
        theirs = peer.seconds(run.job.model, run.job.seq_len, run.plan)
        took["theirs"] += process_time() - start
        if theirs is None:
            refused[name] += 1
            continue
        start = process_time()
        ours = predict_training_row(row, catalogue).value
        took["ours"] += process_time() - start
        assert ours is not None
        stated = in_units(row, run, theirs)
        sign = -1.0 if row["metric"] == "tflops_per_gpu" else 1.0  # a rate: its inverse is the time
        pairs[name].append(
            Pair(ours=(ours / measured.value) ** sign - 1.0, theirs=(stated / measured.value) ** sign - 1.0)
        )
    return pairs, refused, took


def main() -> None:
    """Print both beside each other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, help="a checkout of calculon-ai/calculon")
    try:
        peer, catalogue = Calculon(parser.parse_args().checkout), load_catalogue()
        pairs, refused, took = compare(peer, catalogue)
    except RackcastError as error:
        sys.exit(str(error))
    print(f"{'rows of':30}{'rows':>6}{'refused':>9}   {'ours: mean, median, worst':27}Calculon: the same")
    for name, found in pairs.items():
        errors = [np.abs([getattr(pair, who) for pair in found]) for who in ("ours", "theirs")]
        ours, theirs = (f"{e.mean():7.1%}{np.median(e):8.1%}{e.max():8.1%}" for e in errors)
        print(f"{name:30}{len(found):6}{refused[name]:9}   {ours:27}{theirs:30}")
    count = sum(map(len, pairs.values()))
    print(f"a row takes {took['ours'] / count / MICRO:.0f} us here (read, priced alone), "
          f"{took['theirs'] / count / MICRO:.0f} us there")  # fmt: skip


if __name__ == "__main__":
    main()
