"""``kind: rl``: answers are written by some nodes and learnt from by the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from simulator.costs.serving.layers import Layout
from simulator.costs.serving.traits import EngineTraits, engine_named
from simulator.engine.training.rl import Answers
from simulator.foundation.errors import InputError
from simulator.foundation.schema import Count, Name, StrictModel
from simulator.mapping.plan import Plan
from simulator.profiles.framework import Framework, framework_named
from simulator.scenario.data import one_kind_of_node
from simulator.scenario.kinds import Context, WorkloadKind
from simulator.workload.jobs.training import Precision
from simulator.workload.models.transformer import Transformer

Degree = Annotated[int, Field(ge=1, le=10_000)]
Length = Annotated[int, Field(ge=1, le=10_000_000)]


class AnswersFile(StrictModel):
    """What one step learns from."""

    prompts: Count
    samples: Count = Field(default=8, description="answers to each prompt")
    prompt_tokens: Length = Field(description="mean of a prompt")
    mean: Length = Field(description="tokens of an answer, before they are cut")
    spread: Annotated[float, Field(ge=0, le=10, strict=False)] = Field(
        default=0.0, description="standard deviation over the mean (lognormal)"
    )
    longest: Length = Field(description="tokens at which an answer is cut")


class RolloutFile(StrictModel):
    """The nodes that write."""

    nodes: Count
    tp: Degree = Field(default=1, description="devices of one replica")
    slots: Annotated[int, Field(ge=1, le=4096)] = Field(default=64, description="answers that one writes at once")
    engine: str = Field(default="vllm", description="serving software")


class LearnerFile(StrictModel):
    """The other nodes, cut as a training job is."""

    tp: Degree = 1
    pp: Degree = 1
    micro: Count = 1
    zero: Annotated[int, Field(ge=0, le=3)] = 1
    recompute: Literal["none", "selective", "full"] = "full"
    framework: str = "megatron-lm"


class RlFile(StrictModel):
    """A job of reinforcement learning as it stands in a scenario."""

    id: Name
    kind: Literal["rl"]
    model: str
    precision: str = "bf16"
    answers: AnswersFile
    rollout: RolloutFile
    learner: LearnerFile = LearnerFile()
    ahead: Annotated[int, Field(ge=0, le=100)] = Field(
        default=0, description="batches that writers may be in front of the weights; 0: the pools take turns"
    )
    steps: Annotated[int, Field(ge=3, le=1000)] = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RlWorkload:
    """One job of reinforcement learning with every name resolved.

    Attributes:
        writing_nodes: of the cluster; the others learn.
        layout: of one writing replica; ``slots`` are the answers that it writes at once.
        learner: its degrees, which :meth:`plan` lays on as many devices as there are.
        ahead: batches that writers may be in front of the weights.
    """

    id: str
    model: Transformer
    precision: Precision
    answers: Answers
    prompts: int
    samples: int
    prompt_tokens: int
    writing_nodes: int
    layout: Layout
    slots: int
    engine: EngineTraits
    framework: Framework
    learner: LearnerFile
    ahead: int
    steps: int

    @property
    def batch(self) -> int:
        """Answers of one step."""
        return self.prompts * self.samples

    def plan(self, devices: int) -> Plan:
        """Return the learners' layout; the batch is rounded up to whole micro-batches.

        Raises:
            InputError: the degrees do not divide the devices.
        """
        cut = self.learner
        if devices % (cut.tp * cut.pp):
            raise InputError(f"learner: tp*pp = {cut.tp}*{cut.pp} does not divide its {devices} devices.")
        dp = devices // (cut.tp * cut.pp)
        return Plan(tp=cut.tp, pp=cut.pp, dp=dp, micro_batch=cut.micro, zero=cut.zero, recompute=cut.recompute,
                    micro_batches=-(-self.batch // (cut.micro * dp)))  # fmt: skip


def build(file: RlFile, context: Context) -> RlWorkload:
    """Resolve the job; raises :class:`InputError` with its place."""
    with context.at("model"):
        model = context.model(file.model)
        if not isinstance(model, Transformer):
            raise InputError(f"{file.model!r} is no transformer; it writes no answers.")
    with context.at("precision"):
        precision = Precision.of(file.precision)
    with context.at("rollout", "engine"):
        engine = engine_named(file.rollout.engine)
    with context.at("learner", "framework"):
        framework = framework_named(file.learner.framework)
    node, nodes = one_kind_of_node(context)
    with context.at("rollout", "nodes"):
        if file.rollout.nodes >= nodes:
            raise InputError(f"{file.rollout.nodes} of {nodes} nodes write; at least 1 must learn.")
    with context.at("rollout", "tp"):
        if node.device_count * file.rollout.nodes % file.rollout.tp:
            raise InputError(
                f"tp={file.rollout.tp} does not divide the {node.device_count * file.rollout.nodes} devices."
            )
    asked = file.answers
    return RlWorkload(
        id=file.id, model=model, precision=precision, prompts=asked.prompts, samples=asked.samples,
        answers=Answers(mean=asked.mean, spread=asked.spread, longest=asked.longest),
        prompt_tokens=asked.prompt_tokens, writing_nodes=file.rollout.nodes, layout=Layout(tp=file.rollout.tp),
        slots=file.rollout.slots, engine=engine, framework=framework, learner=file.learner, ahead=file.ahead,
        steps=file.steps,
    )  # fmt: skip


KIND = WorkloadKind(name="rl", file=RlFile, build=build)
