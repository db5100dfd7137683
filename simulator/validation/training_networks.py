"""Predicts measured training of models that work on samples: convolutional, detection, recommender, speech networks.

They are cut by their batch, and into the stages of a pipeline. Not modelled: the input pipeline, decoding, evaluation
inside a run. Where layers are known they are priced one by one; else a stand-in with the published cost of a forward
pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil
from typing import Final

import numpy as np

from simulator.costs.compute import Machine
from simulator.costs.estimate import estimate
from simulator.costs.network import AnalyticNetwork
from simulator.costs.passes import Network as Fabric
from simulator.costs.sample_step import price_samples
from simulator.foundation.errors import InputError
from simulator.mapping.placement import place_group
from simulator.mapping.plan import Plan, PlanTable
from simulator.mapping.samples import SampleProgram, lower_samples
from simulator.profiles.catalogue import Catalogue
from simulator.profiles.device import Device
from simulator.profiles.efficiency import efficiency_of
from simulator.profiles.framework import Framework, framework_named, network_framework
from simulator.profiles.node import Node
from simulator.topology.build import build_cluster
from simulator.topology.fabric import Fabric as Wiring
from simulator.topology.tiers import Tier
from simulator.validation.facts import number
from simulator.validation.prediction import Label, Prediction
from simulator.validation.training_constants import AS_SHIPPED, TrainingConstants
from simulator.validation.unprinted import counted, follows_vit_recipe, version_of
from simulator.validation.used_servers import used_servers
from simulator.workload.jobs.samples import SampleJob
from simulator.workload.jobs.training import Precision
from simulator.workload.models.library import find_model, layers_of
from simulator.workload.models.networks.network import Network, Option
from simulator.workload.models.transformer import Transformer
from simulator.workload.optimizers import Optimizer, optimizers

SECONDS_PER_MINUTE: Final = 60.0
#: what the table's rules prescribe where a row of a benchmark submission leaves it open: a tuned code
_TUNED: Final = ("mlperf-defaults", "converge=")
#: engines with a file of their own: compilers of whole steps, pipelines
_OF_THEIR_OWN: Final = ("jax", "neuronx", "torchgpipe")
#: update rules that keep two momenta
_ADAPTIVE: Final = ("adam", "lamb")
#: servers of devices that neither row nor catalogue places: devices on one host's PCIe, and what joins hosts
_HOST_SLOTS: Final = 8
_BETWEEN_HOSTS: Final = "ib-hdr"
_HOST_LATENCY: Final = 1e-6  # seconds through a root complex
#: micro-batches per stage of a pipeline whose row prints none: from there on its bubble is small (arXiv 1811.06965)
_UNPRINTED_PIECES: Final = 4
#: how notes print the layout of images in memory, and that channels come last
_LAYOUT: Final = "memory layout"
_LAST: Final = "NHWC"
_FABRIC_LATENCY: Final = 2e-6  # seconds through two switches


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRun:
    """A measured run of a network as the simulator sees it."""

    program: SampleProgram
    plan: Plan
    tiers: tuple[Tier, ...]
    device: Device
    part: float  # of a device that a counted one is
    framework: Framework
    nodes: int

    @property
    def precision(self) -> Precision:
        """Formats of its products, activations and weights."""
        return self.program.job.precision


def predict_network_row(
    row: Mapping[str, str], catalogue: Catalogue, constants: TrainingConstants = AS_SHIPPED
) -> Prediction:
    """Return the predicted value of a row about a model that is no transformer.

    Raises:
        InputError: the row names something unknown or says too little; the message is the reason.
    """
    run = sample_run_of(row, catalogue)
    label: Label = "calibrated" if efficiency_of(run.device).origin == "calibrated" else "assumed"
    return Prediction(sample_run_value(row, run, constants, AnalyticNetwork.of(run.tiers)), label, "", None)


def sample_run_of(row: Mapping[str, str], catalogue: Catalogue) -> SampleRun:
    """Read a row; raises :class:`InputError` where it cannot be read as a run of a network."""
    device = catalogue.devices[row["device_id"]]
    part = number(row, "devices_per_accel", 1.0) or 1.0  # a counted die of two is half a device
    counted = max(1, int(number(row, "n_accel")))
    precision = _precision(row, device)
    devices = max(1, ceil(counted * part))
    plan = _plan(row, counted)
    table = PlanTable.of([plan])
    nodes, tiers = _tiers(row, device, devices, catalogue)
    job = SampleJob(network=network_of(row), global_batch=plan.global_batch, precision=precision,
                    optimizer=_optimizer(row))  # fmt: skip
    program = lower_samples(job, table, tiers)
    if devices < plan.dp:  # ranks that share a device exchange on it
        program = replace(program, replicas=place_group(np.minimum(table.dp, devices), table.tp, tiers))
    return SampleRun(program=program, plan=plan, tiers=tiers, device=device, part=part, framework=_framework(row),
                     nodes=nodes)  # fmt: skip


def sample_run_value(row: Mapping[str, str], run: SampleRun, constants: TrainingConstants, fabric: Fabric) -> float:
    """Return what the row's metric is under some constants."""
    efficiency, framework = constants.of(run.device, run.framework)
    machine = _share_of(Machine.of(run.device, run.precision, efficiency), run.part)
    times = price_samples(run.program, machine, framework, fabric)
    seconds = float(estimate(times, run.program.table, nodes=float(run.nodes)).step[0])
    return _in_units(row, run.plan.global_batch, seconds)


def is_submission(row: Mapping[str, str]) -> bool:
    """Return whether a row is of a tuned benchmark submission, as the rules that its assumptions name prescribe."""
    return any(mark in row.get("assumption", "") for mark in _TUNED)


def is_priced_by_layers(row: Mapping[str, str]) -> bool:
    """Return whether a row's model works on samples: it has layers of its own, or is no transformer."""
    model = find_model(counted(row).model)
    return model.network is not None or not isinstance(model.architecture, Transformer)


def _share_of(machine: Machine, part: float) -> Machine:
    if part >= 1.0:
        return machine
    units = None if machine.units is None else max(1, round(machine.units * part))
    return replace(machine, peak=machine.peak * part, peak16=machine.peak16 * part, vector=machine.vector * part,
                   bandwidth=machine.bandwidth * part, units=units)  # fmt: skip


@lru_cache(maxsize=512)
def _network(name: str, size: int | None, options: tuple[tuple[str, Option], ...]) -> Network:
    model = find_model(name)
    if options and model.network is not None:
        model = replace(model, network=replace(model.network, options=(*model.network.options, *options)))
    sized = model.forward is not None and model.forward.image_size is not None
    return layers_of(model, size if sized else None)


def network_of(row: Mapping[str, str]) -> Network:
    """Return the layers of a row's model at its image size."""
    size = number(row, "image_size_px", 0.0)
    dropped = (("dropout", True),) if follows_vit_recipe(row) else ()
    return _network(counted(row).model, int(size) if size else None, dropped)


def _precision(row: Mapping[str, str], device: Device) -> Precision:
    """Return the printed precision; unprinted, the 16-bit one of the device (``mlperf-defaults``)."""
    if row.get("precision"):
        return Precision.of(row["precision"])
    return Precision.of("bf16-amp" if "fp16" not in device.peak else "fp16-amp")


def _plan(row: Mapping[str, str], devices: int) -> Plan:
    if (number(row, "tp", 1.0) or 1.0) > 1:
        raise InputError("networks are cut by their batch and into stages only; the row cuts inside the layers.")
    stages = int(number(row, "pp", 1.0) or 1.0)
    batch = number(row, "global_batch_samples", 0.0) or number(row, "micro_batch_samples", 0.0) * devices
    if not batch:
        raise InputError("the row names no batch.")
    dp = min(devices // stages, int(batch))
    pieces = _UNPRINTED_PIECES * stages if stages > 1 else 1
    micro = int(number(row, "micro_batch_samples", 0.0) or max(1, round(batch / dp / pieces)))
    samples = max(1, round(micro * counted(row).samples))
    recompute = "full" if row.get("recompute") == "full" else "none"
    return Plan(dp=dp, pp=stages, micro_batch=samples, micro_batches=max(1, round(batch / (micro * dp))),
                recompute=recompute, schedule="gpipe" if stages > 1 else "1f1b")  # fmt: skip


def _optimizer(row: Mapping[str, str]) -> Optimizer:
    printed = row.get("optimizer", "").casefold()
    adaptive = follows_vit_recipe(row) or any(name in printed for name in _ADAPTIVE)
    return optimizers["adam" if adaptive else "momentum"]


def _framework(row: Mapping[str, str]) -> Framework:
    """Return the framework of a row: compilers by name, other codes call the kernels of vendor libraries."""
    if is_submission(row):
        return framework_named("convolutional-tuned")
    engine = row.get("engine", "")
    if engine in _OF_THEIR_OWN:
        return framework_named(engine)
    if version_of(row) == "adaptdl":
        return framework_named("adaptdl-convolutional")
    return network_framework(channels_last=_channels_last(row))


def _channels_last(row: Mapping[str, str]) -> bool:
    """Return whether images lie pixel by pixel: as printed; else where a code casts for matrix units by itself (AMP).

    TensorFlow stores them so, and turns its graph to channels first for fp32 on vector units.
    """
    notes, precision = row.get("notes", ""), row.get("precision", "")
    if row.get("kind_of_work", "").startswith("speech"):
        return False  # audio has no layout to choose
    if _LAYOUT in notes:
        return _LAST in notes
    return precision.endswith("-amp") or (row.get("engine") == "tensorflow" and precision != "fp32")


def _tiers(row: Mapping[str, str], device: Device, devices: int, catalogue: Catalogue) -> tuple[int, tuple[Tier, ...]]:
    """Return the nodes of a run and its tiers; devices that no server holds stand eight to a host on PCIe."""
    printed = int(number(row, "n_nodes", 0.0) or 0)
    server = _server(row, device, catalogue)
    if server is None or server.device_count < 1:
        nodes = printed or ceil(devices / _HOST_SLOTS)
        return nodes, _hosts(device, devices, nodes, catalogue)
    used, nodes = used_servers(row, server, devices)
    return max(nodes, printed), _built(used.name, used.device_count, device.name, nodes, catalogue)


def _server(row: Mapping[str, str], device: Device, catalogue: Catalogue) -> Node | None:
    if row.get("node_id"):
        return catalogue.nodes[row["node_id"]]
    holding = [node for node in catalogue.nodes.values() if node.device == device.name]
    return max(holding, key=lambda node: (node.device_count or 0, node.name)) if holding else None


def _hosts(device: Device, devices: int, nodes: int, catalogue: Catalogue) -> tuple[Tier, ...]:
    slot, between = catalogue.links["pcie4-x16"], catalogue.links[_BETWEEN_HOSTS]
    rate = device.host_bandwidth or slot.require("bandwidth")
    share = ceil(devices / nodes)
    inside = Tier(name="pcie", span=share, bandwidth=rate, port_bandwidth=rate, latency=_HOST_LATENCY, link=slot.name)
    if nodes == 1:
        return (inside,)
    port = between.require("bandwidth")
    return inside, Tier(name="leaf", span=share * nodes, bandwidth=port / share, port_bandwidth=port,
                        latency=_FABRIC_LATENCY, link=between.name)  # fmt: skip


@lru_cache(maxsize=512)
def _built(node: str, used: int, device: str, count: int, catalogue: Catalogue) -> tuple[Tier, ...]:
    server = replace(catalogue.nodes[node], device_count=used)
    link = catalogue.links[_BETWEEN_HOSTS] if server.nic_bandwidth is None and count > 1 else None
    return tuple(build_cluster(nodes=[(server, catalogue.devices[device], count)], links=catalogue.links,
                               fabric=Wiring(shape="fat-tree", link=link)).tiers)  # fmt: skip


def _in_units(row: Mapping[str, str], batch: int, seconds: float) -> float:
    match row["metric"]:
        case "iteration_time_s":
            return seconds
        case "samples_per_s":
            return batch * counted(row).units / seconds
        case "time_to_train_min":
            return samples_to_converge(row) / batch * seconds / SECONDS_PER_MINUTE
        case metric:
            raise InputError(f"no prediction in {metric!r}.")


def samples_to_converge(row: Mapping[str, str]) -> float:
    """Return the samples that a run needs, as its ``converge=SAMPLES(RUNS)`` assumption states them."""
    for word in row.get("assumption", "").split():
        name, _, value = word.partition("=")
        if name == "converge":
            return float(value.partition("(")[0])
    raise InputError("the row does not say how many samples it takes to converge.")
