"""All kinds of workload. To add one, write its module (see ``train.py``) and name its ``KIND`` here."""

from __future__ import annotations

from typing import Annotated, Any, Final, Union

from pydantic import Field

from simulator.foundation.registry import Registry
from simulator.scenario import batch_infer, capacity, data, federated, place, rl, serve, shared_fabric, train
from simulator.scenario.kinds import Context, WorkloadKind

workload_kinds: Final[Registry[WorkloadKind]] = Registry("kind of workload")
for _kind in (
    train.KIND, data.KIND, batch_infer.KIND, shared_fabric.KIND, serve.KIND, federated.KIND, rl.KIND, place.KIND,
    capacity.KIND,
):  # fmt: skip
    workload_kinds.add(_kind.name, _kind)


def _any_kind() -> Any:
    """Return the type of one entry of ``workloads``: told apart by ``kind`` once there is more than one."""
    files = tuple(kind.file for kind in workload_kinds.values())
    return files[0] if len(files) == 1 else Annotated[Union[files], Field(discriminator="kind")]  # noqa: UP007


WorkloadFile: Final[Any] = _any_kind()


def workload_from(file: Any, context: Context) -> Any:
    """Return the workload that an entry describes; raises :class:`InputError` with its place."""
    return workload_kinds[file.kind].build(file, context)
