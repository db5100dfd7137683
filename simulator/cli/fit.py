"""``rackcast fit``: whether a training job fits some devices, and what fills their memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli import options, output

if TYPE_CHECKING:
    from simulator.costs.host import Offload
    from simulator.mapping.plan import Plan
    from simulator.profiles.device import Device
    from simulator.profiles.framework import Framework
    from simulator.workload.jobs.samples import Job


def command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A name that `rackcast model list` shows.")],
    on: Annotated[str, typer.Option("--on", metavar="DEVICE[:COUNT]", help="As in h100-sxm:8; also a node's name.")],
    seq_len: Annotated[int | None, typer.Option("--seq-len", min=1, help="Tokens; else the model's longest.")] = None,
    micro_batch: Annotated[int, typer.Option("--micro-batch", min=1, help="Samples of one forward pass.")] = 1,
    micro_batches: Annotated[int, typer.Option("--micro-batches", min=1, help="Forward passes of a step.")] = 1,
    tp: Annotated[int, typer.Option("--tp", min=1, help="Tensor parallelism.")] = 1,
    pp: Annotated[int, typer.Option("--pp", min=1, help="Pipeline parallelism.")] = 1,
    cp: Annotated[int, typer.Option("--cp", min=1, help="Context parallelism.")] = 1,
    ep: Annotated[int, typer.Option("--ep", min=1, help="Expert parallelism.")] = 1,
    zero: Annotated[int, typer.Option("--zero", min=0, max=3, help="What DP shards: ZeRO stage.")] = 0,
    recompute: Annotated[str, typer.Option("--recompute", help="none, selective or full.")] = "none",
    vpp: Annotated[int, typer.Option("--vpp", min=1, help="Virtual stages per pipeline rank.")] = 1,
    schedule: Annotated[str, typer.Option("--schedule", help="gpipe, 1f1b, zb-h1 or dualpipe.")] = "1f1b",
    layers_per_stage: Annotated[
        str, typer.Option("--layers-per-stage", metavar="N,N,...", help="Layers of each stage; else even.")
    ] = "",
    offload: Annotated[
        str, typer.Option("--offload", metavar="PART,...", help="optimizer, parameters, activations: to the host.")
    ] = "",
    sequence_parallel: Annotated[bool, typer.Option("--sequence-parallel", help="Share norms over TP.")] = False,
    sample_size: Annotated[
        int | None, typer.Option("--sample-size", min=1, help="Of a network's sample: pixels along an edge, frames.")
    ] = None,
    lora: Annotated[int | None, typer.Option("--lora", min=1, help="Rank of adapters beside frozen weights.")] = None,
    sparsity: Annotated[str, typer.Option("--sparsity", help="dense, 2:4 or unstructured.")] = "dense",
    quantize: Annotated[bool, typer.Option("--quantize", help="Train with rounding to another format.")] = False,
    teacher: Annotated[str | None, typer.Option("--teacher", help="A model to learn from, beside it.")] = None,
    precision: Annotated[
        str | None, typer.Option("--precision", help="Of the products; else bf16, of networks bf16-amp.")
    ] = None,
    optimizer: Annotated[str, typer.Option("--optimizer", help="Update rule.")] = "adam",
    framework: Annotated[
        str | None, typer.Option("--framework", help="Training software; else megatron-lm, of networks convolutional.")
    ] = None,
    as_json: options.Json = False,
    as_csv: options.Csv = False,
) -> None:
    """Say whether training a model fits a device or node, and what eats the memory; data parallelism fills the rest.

    Exit 3 if it does not fit, with the smallest change that would.

    example: rackcast fit llama-3.1-8b --on h100-sxm:8 --tp 4 --zero 1 --seq-len 8192
    """
    from simulator.simulation.feasibility import fitting_memory
    from simulator.topology.tiers import Tier

    device, count = _devices(on)
    plan = _plan(count, tp=tp, cp=cp, pp=pp, ep=ep, zero=zero, micro_batch=micro_batch, micro_batches=micro_batches,
                 recompute=recompute, sequence_parallel=sequence_parallel, vpp=vpp, schedule=schedule,
                 layers_per_stage=_layers(layers_per_stage))  # fmt: skip
    wish = _Wish(seq_len=seq_len, sample_size=sample_size, batch=plan.global_batch, precision=precision,
                 optimizer=optimizer, lora=lora, sparsity=sparsity, quantize=quantize)  # fmt: skip
    job = _job(model, wish, teacher)
    _all_layers(job, plan)
    alike = (Tier(name="devices", span=count, bandwidth=1.0, port_bandwidth=1.0, latency=0.0),)  # memory sends nothing
    parts = fitting_memory(job, plan, device, _framework(framework, job), alike, offload=_offload(offload, count))
    _show(model, device, count, plan, parts, as_json=as_json, as_csv=as_csv)


def _devices(on: str) -> tuple[Device, int]:
    """Return the device and how many; a node's name stands for its devices. Raises :class:`InputError`."""
    from simulator.foundation.errors import InputError
    from simulator.profiles.catalogue import load_catalogue

    name, _, count = on.partition(":")
    if count and (not count.isdecimal() or int(count) < 1):
        raise InputError(f"--on {on!r}: write a name and how many, as in h100-sxm:8.")
    catalogue = load_catalogue()
    if name not in catalogue.devices and name in catalogue.nodes:
        node = catalogue.nodes[name]
        if node.device is None:
            raise InputError(f"--on {on!r}: {node.name} holds no device that computes.")
        return catalogue.devices[node.device], node.device_count * int(count or 1)
    return catalogue.devices[name], int(count or 1)


def _plan(count: int, **keys: Any) -> Plan:
    from simulator.foundation.errors import InputError
    from simulator.mapping.plan import Plan

    others = keys["tp"] * keys["cp"] * keys["pp"]
    if count % others:
        raise InputError(f"tp*cp*pp = {others} does not divide {count} devices; name a multiple, as in X:{others}.")
    return Plan(dp=count // others, **keys)


def _layers(text: str) -> tuple[int, ...]:
    """Read ``17,15``; raises :class:`InputError` for what is no number of layers."""
    from simulator.foundation.errors import InputError

    numbers = [part.strip() for part in text.split(",") if part.strip()]
    if not all(number.isdecimal() for number in numbers):
        raise InputError(f"--layers-per-stage {text!r}: write the layers of each stage, as in 17,15.")
    return tuple(int(number) for number in numbers)


def _all_layers(job: Job, plan: Plan) -> None:
    """Raise :class:`InputError` if named stages do not hold all layers of a transformer, or hold a teacher's too."""
    from simulator.foundation.errors import InputError
    from simulator.workload.jobs.training import TrainingJob
    from simulator.workload.transformer_blocks import total_layers

    if not plan.layers_per_stage or not isinstance(job, TrainingJob):
        return
    named, layers = sum(plan.layers_per_stage), total_layers(job.model)
    if named != layers:
        raise InputError(f"--layers-per-stage adds up to {named} layers; {job.model.name} has {layers}.")
    if job.teacher is not None:
        raise InputError("--layers-per-stage: a teacher has other layers than its student; leave it out.")


def _offload(text: str, devices: int) -> Offload | None:
    """Read ``optimizer,activations``; how fast the way there is does not matter to what fits."""
    from simulator.costs.host import Offload
    from simulator.foundation.errors import InputError

    parts = {part.strip() for part in text.split(",") if part.strip()}
    if unknown := parts - {"optimizer", "parameters", "activations"}:
        raise InputError(f"--offload {', '.join(sorted(unknown))}: write optimizer, parameters or activations.")
    if not parts:
        return None
    return Offload(
        optimizer="host" if "optimizer" in parts else None, parameters="host" if "parameters" in parts else None,
        activations="activations" in parts, devices=devices, link=1.0, host_bandwidth=1.0, host_bytes=float("inf"),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What is asked of a job beside its model."""

    seq_len: int | None
    sample_size: int | None
    batch: int
    precision: str | None
    optimizer: str
    lora: int | None
    sparsity: str
    quantize: bool


def _job(name: str, wish: _Wish, teacher: str | None) -> Job:
    """Return the job; raises :class:`InputError` for what its kind of model does not know."""
    from simulator.foundation.errors import InputError, UnknownName
    from simulator.workload.jobs.samples import SampleJob
    from simulator.workload.jobs.training import TrainingJob, adapted
    from simulator.workload.thrift import PATTERNS, Thrift

    if wish.sparsity not in PATTERNS:
        raise UnknownName("sparsity", wish.sparsity, PATTERNS)
    job = replace(_plain(name, wish), thrift=Thrift(pattern=wish.sparsity, rounded=wish.quantize))
    if wish.lora is not None:
        if not isinstance(job, TrainingJob):
            raise InputError(f"{name} is a network on samples; adapters are known of transformers only.")
        job = adapted(job, wish.lora)
    elif job.precision.packed:
        raise InputError(f"{job.precision.name} freezes the weights; write adapters, as in --lora 16.")
    if teacher is None:
        return job
    other = _plain(teacher, wish)
    if isinstance(job, TrainingJob) and isinstance(other, TrainingJob):
        return replace(job, teacher=other)
    if isinstance(job, SampleJob) and isinstance(other, SampleJob):
        return replace(job, teacher=other)
    raise InputError(f"{name} and its teacher {teacher} are not of one kind: one counts tokens, the other samples.")


def _plain(name: str, wish: _Wish) -> Job:
    from simulator.workload.jobs.samples import SampleJob
    from simulator.workload.jobs.training import Precision, TrainingJob
    from simulator.workload.models.library import find_model, layers_of
    from simulator.workload.optimizers import optimizers

    model, rule = find_model(name), optimizers[wish.optimizer]
    if model.transformer is not None and (model.network is None or wish.seq_len is not None):
        shape = model.transformer
        job: Job = TrainingJob(model=shape, seq_len=wish.seq_len or shape.max_seq, global_batch=wish.batch,
                               precision=Precision.of(wish.precision or "bf16"))  # fmt: skip
    else:
        job = SampleJob(network=layers_of(model, wish.sample_size), global_batch=wish.batch,
                        precision=Precision.of(wish.precision or "bf16-amp"))  # fmt: skip
    return replace(job, optimizer=rule.on(*job.widest))


def _framework(name: str | None, job: Job) -> Framework:
    from simulator.profiles.framework import framework_named, network_framework
    from simulator.workload.jobs.training import TrainingJob

    if name is None and not isinstance(job, TrainingJob):
        return network_framework(channels_last=job.precision.name.endswith("-amp"))
    return framework_named(name or "megatron-lm")


def _show(
    model: str, device: Device, count: int, plan: Plan, parts: dict[str, float], *, as_json: bool, as_csv: bool
) -> None:
    from dataclasses import asdict

    from simulator.costs.memory import usable_memory
    from simulator.foundation.units import GIGA

    needed, limit = sum(parts.values()), usable_memory(device)
    if as_json:
        output.json_document({"model": model, "device": device.name, "devices": count, "plan": asdict(plan),
                              "memory_bytes": parts, "needed_bytes": needed, "limit_bytes": limit})  # fmt: skip
        return
    rows = [*((name, size, size / limit) for name, size in parts.items()), ("total", needed, needed / limit)]
    if as_csv:
        output.csv(("part", "memory_bytes", "share_of_limit"), rows)
        return
    output.line(f"{model} fits {count} x {device.name}: {needed / GIGA:.1f} of {limit / GIGA:.1f} GB per device")
    shown = [(name, size / GIGA, 100.0 * share) for name, size, share in rows]
    output.table(("part", "memory (GB)", "of the limit (%)"), shown)
