"""What is to be started: a decided training job or service, as launch files need it."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.costs.host import Offload
from simulator.foundation.errors import InputError
from simulator.mapping.plan import Plan
from simulator.scenario import Scenario
from simulator.scenario.serve import ServeWorkload
from simulator.scenario.train import TrainWorkload
from simulator.simulation import chosen_workload
from simulator.topology.scaleup import devices_per_node
from simulator.workload.jobs.training import TrainingJob


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOrder:
    """A training job and its decision, on nodes of one size.

    Attributes:
        domain: devices of one scale-up domain (a node, a rack or a slice).
        offload: what lies outside the devices; None for nothing.
        script: the node's script, for what starts one on every node.
    """

    name: str
    job: TrainingJob
    plan: Plan
    nodes: int
    devices_per_node: int
    domain: int
    offload: Offload | None = None
    script: str = "megatron.sh"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOrder:
    """A service as it is decided, on nodes of the given numbers of devices.

    Attributes:
        replicas: in all, those that compute prompts only among them.
    """

    name: str
    workload: ServeWorkload
    replicas: int
    devices_per_node: tuple[int, ...]

    @property
    def roles(self) -> tuple[Role, ...]:
        """What the replicas do: all the same, or some compute prompts and hand them on to those that decode."""
        prompts = self.workload.prefill
        if prompts is None:
            return (Role(name="", replicas=self.replicas),)
        return Role(name="prefill", replicas=prompts), Role(name="decode", replicas=self.replicas - prompts)

    @property
    def nodes_per_replica(self) -> int:
        """Nodes that one replica is spread over."""
        return -(-self.workload.layout.devices // self.devices_per_node[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """Replicas that do the same: ``prefill`` (prompts only), ``decode``, or both (no name)."""

    name: str
    replicas: int

    def file(self, name: str) -> str:
        """Return a file's name for this role.

        >>> Role(name="decode", replicas=2).file("vllm.sh")
        'vllm-decode.sh'
        """
        stem, _, ending = name.partition(".")
        return f"{self.of(stem)}.{ending}"

    def each(self, model: str) -> str:
        """Return the replicas of a model that do this, for the head of a script.

        >>> Role(name="decode", replicas=2).each("llama-3.1-8b")
        'each of 2 replicas of llama-3.1-8b for decode'
        """
        number = f"each of {self.replicas} replicas" if self.replicas > 1 else "the replica"
        return f"{number} of {model}{f' for {self.name}' if self.name else ''}"

    def of(self, name: str) -> str:
        """Return a name that says the role, if there is one."""
        return f"{name}-{self.name}" if self.name else name


Order = TrainOrder | ServeOrder


def order_of(scenario: Scenario, *, plan: Plan | None = None, workload: str | None = None) -> Order:
    """Return what a scenario decides.

    Args:
        plan: the decision of a training job whose scenario takes none.
        workload: its id, where there are several.

    Raises:
        InputError: nothing is decided, another kind of workload, or nodes of several sizes.
    """
    chosen = chosen_workload(scenario, workload)
    if isinstance(chosen, ServeWorkload):
        return _serve_order(scenario, chosen)
    if not isinstance(chosen, TrainWorkload):
        raise InputError(f"workload {chosen.id!r} is neither trained nor served; there is nothing to start.")
    if not isinstance(chosen.job, TrainingJob):
        raise InputError(
            f"{chosen.job.model.name} is a network on samples; launch files are known of transformers only."
        )
    decided = plan or chosen.plan
    if decided is None:
        raise InputError(f"nothing is decided for {chosen.id!r}; set its parallelism, or plan it first.")
    sizes = {devices_per_node(group.node) for group in scenario.groups}
    if len(sizes) > 1:
        raise InputError(f"nodes of {', '.join(map(str, sorted(sizes)))} devices; torchrun starts as many on each.")
    return TrainOrder(
        name=scenario.name,
        job=chosen.job,
        plan=decided,
        nodes=sum(group.count for group in scenario.groups),
        devices_per_node=sizes.pop(),
        domain=min(domain.size for domain in scenario.cluster.scale_ups),
        offload=chosen.offload,
    )


def _serve_order(scenario: Scenario, workload: ServeWorkload) -> ServeOrder:
    whole = scenario.devices // workload.layout.devices
    sizes = tuple(sorted({devices_per_node(group.node) for group in scenario.groups}))
    return ServeOrder(name=scenario.name, workload=workload, devices_per_node=sizes,
                      replicas=whole if workload.count is None else workload.count)  # fmt: skip


def refusals_of_parts(order: ServeOrder) -> list[str]:
    """Return what no launch file of a service says: parts of devices, and checkpoints that are the user's."""
    one, found = order.workload, []
    if one.slices > 1 or one.partition:
        found.append("replicas on parts of a device (whoever cuts the devices hands out the parts)")
    if one.speculation is not None or one.adapters is not None:
        found.append("speculative decoding or adapters (their checkpoints are yours; add their flags)")
    if one.engine.cpu_offload:
        found.append("weights in host memory")
    return found


def refusals_of_offload(order: TrainOrder) -> list[str]:
    """Return what an engine whose file says nothing of host memory cannot do."""
    if order.offload is None:
        return []
    parts = ("optimizer", order.offload.optimizer), ("weights", order.offload.parameters), (
        "activations", order.offload.activations)  # fmt: skip
    return [f"{', '.join(name for name, place in parts if place)} outside of the devices (deepspeed says it)"]


def refusals_of_stages(order: TrainOrder) -> list[str]:
    """Return what no launch file that is written here says: stages of unequal length, another order of ranks."""
    plan, found = order.plan, []
    if len(set(plan.layers_per_stage)) > 1:
        found.append(f"stages of {', '.join(map(str, plan.layers_per_stage))} layers (its flags cut evenly)")
    if plan.order != "tp-cp-dp-pp":
        found.append(f"the order of ranks {plan.order} (its default is tp-cp-dp-pp)")
    return found
