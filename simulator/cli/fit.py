"""``rackcast fit``: whether a training job fits some devices, and what fills their memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli import options, output

if TYPE_CHECKING:
    from simulator.mapping.plan import Plan
    from simulator.profiles.device import Device


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
    sequence_parallel: Annotated[bool, typer.Option("--sequence-parallel", help="Share norms over TP.")] = False,
    precision: Annotated[str, typer.Option("--precision", help="Of the products.")] = "bf16",
    optimizer: Annotated[str, typer.Option("--optimizer", help="Update rule.")] = "adam",
    framework: Annotated[str, typer.Option("--framework", help="Training software.")] = "megatron-lm",
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
                 recompute=recompute, sequence_parallel=sequence_parallel)  # fmt: skip
    job = _job(model, seq_len, plan.global_batch, precision, optimizer)
    alike = (Tier(name="devices", span=count, bandwidth=1.0, port_bandwidth=1.0, latency=0.0),)  # memory sends nothing
    parts = fitting_memory(job, plan, device, _framework(framework), alike)
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


def _job(model: str, seq_len: int | None, batch: int, precision: str, optimizer: str) -> Any:
    from simulator.foundation.errors import InputError
    from simulator.workload.jobs.training import Precision, TrainingJob
    from simulator.workload.models.library import load_model
    from simulator.workload.models.transformer import Transformer
    from simulator.workload.optimizers import optimizers

    shape = load_model(model)
    if not isinstance(shape, Transformer):
        raise InputError(f"{model!r} is known by the cost of one pass alone; training needs its shape.")
    return TrainingJob(model=shape, seq_len=seq_len or shape.max_seq, global_batch=batch,
                       precision=Precision.of(precision), optimizer=optimizers[optimizer])  # fmt: skip


def _framework(name: str) -> Any:
    from simulator.profiles.framework import framework_named

    return framework_named(name)


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
