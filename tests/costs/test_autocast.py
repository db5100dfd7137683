"""Laws of mixed precision: what stays in fp32 between 16-bit products, and where fused attention exists."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulator.costs.compute import Machine
from simulator.costs.passes import WIDENED, attention_kernel, block_passes
from simulator.mapping.plan import Plan, PlanTable
from simulator.mapping.program import lower
from simulator.profiles.catalogue import load_catalogue
from simulator.profiles.framework import framework_named
from simulator.topology.build import build_cluster
from simulator.topology.fabric import Fabric
from simulator.workload.jobs.training import Precision, TrainingJob
from simulator.workload.models.library import load_model

CATALOGUE = load_catalogue()
A100 = CATALOGUE.devices["nvidia-a100-sxm4-80gb"]
PURE = replace(framework_named("pytorch"), autocast="asked")


class Silent:
    """A network that is never asked."""

    def time(self, operation, size, group):
        return np.zeros_like(size)


def passes(precision: str, framework=PURE):
    """Return forward work of one attention layer of BERT at 512 tokens."""
    cluster = build_cluster(nodes=[(CATALOGUE.nodes["dgx-a100-640gb"], A100, 1)], links=CATALOGUE.links,
                            fabric=Fabric(shape="fat-tree"))  # fmt: skip
    job = TrainingJob(model=load_model("bert-large"), seq_len=512, global_batch=8, precision=Precision.of(precision))
    program = lower(job, PlanTable.of([Plan(micro_batch=8)]), cluster.tiers)
    block = next(block for block in program.blocks if block.name == "attention")
    return block_passes(block, program, Machine.of(A100, job.precision), framework, Silent())


def test_autocast_moves_wider_elements_between_the_same_products():
    pure, mixed = passes("bf16"), passes("bf16-amp")
    assert mixed.forward.elementwise == pytest.approx(WIDENED * pure.forward.elementwise)
    assert mixed.forward.kernels == pytest.approx(pure.forward.kernels)
    # scores of unfused attention are widened too, products are not
    assert 1.0 < float(mixed.forward.products[0] / pure.forward.products[0]) < WIDENED


def test_a_framework_that_autocasts_does_so_whatever_the_run_calls_its_precision():
    named, unnamed = passes("bf16-amp"), passes("bf16", replace(PURE, autocast="always"))
    assert unnamed.forward.elementwise == pytest.approx(named.forward.elementwise)


def test_programs_that_name_each_format_themselves_have_no_list_that_widens():
    never = replace(PURE, autocast="never")
    assert passes("bf16-amp", never).forward.elementwise == passes("bf16").forward.elementwise
    assert framework_named("pax").autocast == framework_named("maxtext").autocast == "never"


def test_training_in_32_bits_has_nothing_to_widen():
    assert passes("tf32", replace(PURE, autocast="always")).forward.elementwise == passes("tf32").forward.elementwise


def test_fused_attention_is_written_for_16_bits():
    fused = replace(PURE, attention="fused")
    assert attention_kernel(fused, Precision.of("fp16-amp")) == "fused"
    assert passes("bf16", fused).forward.products < passes("bf16").forward.products
    assert passes("tf32", fused).forward.products == passes("tf32").forward.products
