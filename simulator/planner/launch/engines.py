"""All engines that files are written for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from simulator.foundation.errors import InputError
from simulator.foundation.registry import Registry
from simulator.planner.launch import (
    deepspeed,
    fsdp,
    jobset,
    lws,
    maxtext,
    megatron,
    rayjob,
    rayserve,
    sglang,
    slurm,
    torchtitan,
    trtllm,
    vllm,
)
from simulator.planner.launch.order import Order, ServeOrder, TrainOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Software that can be started.

    Attributes:
        checked: the version its flags were checked against.
        file: name of the file that is started or applied.
        order: what it can start.
        refusals: reasons why it cannot start an order, one each.
        files: every file's text by its name, for an order without refusals.
    """

    checked: str
    file: str
    order: type
    refusals: Callable[[Any], Sequence[str]]
    files: Callable[[Any], Mapping[str, str]]


def _alone(module: Any) -> Callable[[Any], Mapping[str, str]]:
    """Return the files of an engine that has one."""
    return lambda order: {module.FILE: module.text(order)}


engines: Final[Registry[Engine]] = Registry("engine")
for _name, _module, _order in (
    ("deepspeed", deepspeed, TrainOrder),
    ("fsdp", fsdp, TrainOrder),
    ("jobset", jobset, TrainOrder),
    ("lws", lws, ServeOrder),
    ("maxtext", maxtext, TrainOrder),
    ("megatron", megatron, TrainOrder),
    ("rayjob", rayjob, TrainOrder),
    ("rayserve", rayserve, ServeOrder),
    ("sglang", sglang, ServeOrder),
    ("slurm", slurm, TrainOrder),
    ("torchtitan", torchtitan, TrainOrder),
    ("trtllm", trtllm, ServeOrder),
    ("vllm", vllm, ServeOrder),
):
    _engine = Engine(checked=_module.CHECKED, file=_module.FILE, order=_order, refusals=_module.refusals,
                     files=getattr(_module, "files", None) or _alone(_module))  # fmt: skip
    engines.add(_name, _engine)


def engines_for(order: type) -> tuple[str, ...]:
    """Return the names of the engines that start orders of a kind."""
    return tuple(name for name, one in engines.items() if one.order is order)


#: engines whose file is started on every node by a scheduler's
_ON_EVERY_NODE: Final = ("megatron", "torchtitan", "fsdp", "maxtext")


def launch_files(order: Order, names: Sequence[str]) -> Mapping[str, str]:
    """Return the text of every file of the engines by its name.

    A scheduler's file starts the node's script of the first engine beside it that has one, else Megatron-LM's.

    Raises:
        UnknownName: no such engine.
        InputError: the decision uses what an engine cannot do; with every reason.
    """
    files: dict[str, str] = {}
    if isinstance(order, TrainOrder):
        scripts = [engines[name].file for name in names if name in _ON_EVERY_NODE]
        order = replace(order, script=scripts[0]) if scripts else order
    for name in names:
        engine = engines[name]
        if not isinstance(order, engine.order):
            what = "trains" if engine.order is TrainOrder else "serves"
            able = ", ".join(engines_for(type(order)))
            raise InputError(f"{name} {what}, and this is another kind of workload; for it there are {able}.")
        if reasons := engine.refusals(order):
            raise InputError(f"{name} ({engine.checked}) cannot run this decision: {'; '.join(reasons)}.")
        files |= engine.files(order)
    return files
