"""A step of reinforcement learning: what writing and learning take on their nodes, played, and the best division."""

from __future__ import annotations

from simulator.costs.compute import Machine
from simulator.costs.estimate import estimate
from simulator.costs.network import AnalyticNetwork
from simulator.costs.serving.capacity import weight_bytes
from simulator.costs.serving.iteration import Replica
from simulator.costs.serving.numerics import Numerics
from simulator.costs.serving.static_batch import decode_seconds, prompt_seconds
from simulator.costs.step import price
from simulator.engine.training.rl import RlRun, Writers, play_rl
from simulator.foundation.errors import InputError
from simulator.foundation.randomness import Streams
from simulator.mapping.plan import PlanTable
from simulator.mapping.program import lower
from simulator.profiles.efficiency import efficiency_of
from simulator.profiles.error_bands import Work, error_band
from simulator.results.rl import Division, RlResult
from simulator.scenario import Scenario
from simulator.scenario.rl import RlWorkload
from simulator.workload.jobs.training import TrainingJob


def simulate_rl(scenario: Scenario, workload: RlWorkload) -> RlResult:
    """Play the job as it is divided, and price every other division of the nodes into writers and learners.

    Raises:
        InputError: a figure that no source gives, or degrees that do not divide the learners' devices.
    """
    run = _played(scenario, workload, workload.writing_nodes)
    divisions = []
    for writing in range(1, scenario.cluster.nodes):
        try:
            found = _played(scenario, workload, writing)
        except InputError:
            continue  # its devices are not divided by the degrees
        divisions.append(Division(writing_nodes=writing, write_s=float(found.write_s.mean()), learn_s=found.learn_s,
                                  step_s=found.step_s))  # fmt: skip
    return RlResult(run=run, divisions=tuple(divisions), writing_nodes=workload.writing_nodes,
                    nodes=scenario.cluster.nodes, answers=workload.batch, ahead=workload.ahead,
                    trust=_trust(scenario))  # fmt: skip


def _trust(scenario: Scenario) -> str:
    """Return how far off each half is where it was measured; of both together nothing was."""
    device_class = efficiency_of(scenario.groups[0].device).name
    halves: tuple[tuple[str, Work], ...] = (("Writing", "serve"), ("Learning", "train"))
    told = []
    for name, work in halves:
        band = error_band(work, device_class)
        told.append(f"{name}: on {band.told}." if band else f"{name}: no measured error is known.")
    return " ".join([*told, "Of the two together none is known."])


def _played(scenario: Scenario, workload: RlWorkload, writing: int) -> RlRun:
    per_node = scenario.groups[0].node.device_count
    writers = _writers(scenario, workload, writing * per_node)
    learn_s = _learn_s(scenario, workload, scenario.devices - writing * per_node)
    rng = Streams(scenario.run.seed)["answers"]
    return play_rl(workload.answers, workload.batch, writers, learn_s, steps=workload.steps, ahead=workload.ahead,
                   rng=rng)  # fmt: skip


def _writers(scenario: Scenario, workload: RlWorkload, devices: int) -> Writers:
    tp = workload.layout.tp
    if devices % tp:
        raise InputError(f"rollout: tp={tp} does not divide its {devices} devices.")
    device, tiers, replicas = scenario.groups[0].device, scenario.cluster.tiers, devices // tp
    numerics = Numerics.of(device, workload.precision.name)
    replica = Replica.of(workload.model, device, layout=workload.layout, numerics=numerics, engine=workload.engine,
                         tiers=tiers)  # fmt: skip
    share = max(1, -(-workload.batch // replicas))
    context = workload.prompt_tokens + min(workload.answers.mean, workload.answers.longest) / 2
    slots = min(workload.slots, share)
    return Writers(
        replicas=min(replicas, workload.batch),
        iteration_s=[decode_seconds(replica, batch, context) for batch in range(1, slots + 1)],
        prompts_s=prompt_seconds(replica, share, workload.prompt_tokens),
        weights_s=weight_bytes(replica) / tiers[-1].bandwidth,
    )  # fmt: skip


def _learn_s(scenario: Scenario, workload: RlWorkload, devices: int) -> float:
    """Seconds of one training step over the batch, each answer as long as the mean one with its prompt."""
    plan = workload.plan(devices)
    length = round(workload.prompt_tokens + min(workload.answers.mean, workload.answers.longest))
    job = TrainingJob(model=workload.model, seq_len=length, global_batch=plan.global_batch,
                      precision=workload.precision)  # fmt: skip
    table, tiers = PlanTable.of([plan]), scenario.cluster.tiers
    machine = Machine.of(scenario.groups[0].device, workload.precision)
    times = price(lower(job, table, tiers), machine, workload.framework, AnalyticNetwork.of(tiers))
    nodes = devices / scenario.groups[0].node.device_count
    return float(estimate(times, table, nodes=nodes).step[0])
