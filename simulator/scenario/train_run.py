"""What a whole training run holds beside its steps: its end, evaluations, failures, stages."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from simulator.foundation.errors import InputError
from simulator.foundation.schema import Count, Name, PositiveSeconds, Seconds, StrictModel
from simulator.foundation.units import DAY
from simulator.scenario.kinds import Context
from simulator.workload.jobs.samples import Job
from simulator.workload.jobs.training import TrainingJob

Amount: Any = Annotated[float, Field(gt=0, le=1e17)]


class EvaluateFile(StrictModel):
    """Forward passes over held-out samples on all devices, while training waits."""

    every: Count = Field(description="steps between two")
    samples: Count = Field(description="of one evaluation")


class DomainFile(StrictModel):
    """Nodes that fail together: those of one rack, or behind one switch."""

    nodes: Annotated[int, Field(ge=2, le=100_000)] = Field(description="of one domain")
    mtbf: PositiveSeconds = Field(description="mean time between failures of one domain, as in '50000 h'")


class FaultsFile(StrictModel):
    """How nodes fail, and how the job goes on: from its last checkpoint, or with fewer replicas."""

    node_mtbf: PositiveSeconds = Field(description="mean time between failures of one node, as in '6300 h'")
    restart: Seconds = Field(default=0.0, description="to notice, to schedule and to start again; reading apart")
    spares: Annotated[int, Field(ge=0, le=100_000)] = Field(default=0, description="nodes that stand by")
    repair: Seconds = Field(default=DAY, description="until a failed node stands by again")
    strategy: Literal["restart", "elastic-dp"] = Field(
        default="restart",
        description="restart: with all nodes, from the last checkpoint, on spares if there are any; elastic-dp: with "
        "the replicas that are left, which do the others' micro-batches until the node is back",
    )
    regroup: Seconds = Field(default=0.0, description="that each change of the replicas holds the run up (elastic-dp)")
    domain: DomainFile | None = Field(default=None, description="left out: every node fails alone")
    runs: Annotated[int, Field(ge=1, le=10_000)] = Field(default=100, description="how many runs are played")


class StageFile(StrictModel):
    """A part of incremental training: it begins with the weights of the one before, saved at its end."""

    name: Name
    tokens: Amount | None = None
    samples: Amount | None = Field(default=None, description="instead of tokens")
    sample_size: Count | None = Field(default=None, description="of a network's sample here; left out: the job's")
    seq_len: Count | None = Field(default=None, description="tokens of a sample here; left out: the job's")
    batch: Count | None = Field(default=None, description="samples of a step here; left out: the job's")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Steps between two evaluations, and the samples of one."""

    every: int
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFaults:
    """How nodes fail.

    Attributes:
        node_mtbf: seconds between failures of one node.
        restart, repair: seconds until the run goes on, and until a failed node is ready again.
        spares: nodes that stand by.
        runs: to be played.
        elastic: whether the run goes on with fewer replicas; each change costs ``regroup`` seconds.
        domain, domain_mtbf: nodes that fail together, and seconds between failures of one such domain; 1 and infinity
            where every node fails alone.
    """

    node_mtbf: float
    restart: float
    spares: int
    repair: float
    runs: int
    elastic: bool = False
    regroup: float = 0.0
    domain: int = 1
    domain_mtbf: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A part of a run by its samples; its weights are saved at its end. ``job`` is what is learned in it."""

    name: str
    samples: float
    job: Job

    @property
    def steps(self) -> float:
        """Optimizer updates of this part."""
        return self.samples / self.job.global_batch


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAround:
    """What a whole run holds beside its steps; ``startup`` in seconds before the first."""

    startup: float = 0.0
    evaluation: Evaluation | None = None
    faults: NodeFaults | None = None
    stages: tuple[Stage, ...] = ()


#: nothing but steps
STEPS_ALONE: Final = RunAround()


def around_from(
    evaluate: EvaluateFile | None, faults: FaultsFile | None, stages: tuple[Stage, ...], startup: float
) -> RunAround:
    """Return what a run holds beside its steps."""
    return RunAround(
        startup=startup,
        evaluation=None if evaluate is None else Evaluation(every=evaluate.every, samples=evaluate.samples),
        faults=None if faults is None else _faults(faults),
        stages=stages,
    )


def stage_from(file: StageFile, job: Job, context: Context) -> Stage:
    """Return a stage in which ``job`` is learned; raises :class:`InputError` unless its length is said once."""
    seq_len = job.seq_len if isinstance(job, TrainingJob) else None
    with context.at():
        if (file.tokens is None) == (file.samples is None):
            raise InputError(f"stage {file.name!r} needs its length once: tokens, or samples.")
    return Stage(name=file.name, samples=_samples(file.tokens, file.samples, seq_len, context), job=job)


def _samples(tokens: float | None, samples: float | None, seq_len: int | None, context: Context) -> float:
    if tokens is None:
        assert samples is not None
        return samples
    with context.at("tokens"):
        if seq_len is None:
            raise InputError("samples of this model are not counted in tokens; write samples.")
    assert seq_len is not None
    return tokens / seq_len


def _faults(file: FaultsFile) -> NodeFaults:
    same = {name: getattr(file, name) for name in ("node_mtbf", "restart", "spares", "repair", "runs", "regroup")}
    domain = {} if file.domain is None else {"domain": file.domain.nodes, "domain_mtbf": file.domain.mtbf}
    return NodeFaults(**same, **domain, elastic=file.strategy == "elastic-dp")


def samples_of_run(
    context: Context,
    *,
    tokens: float | None,
    samples: float | None,
    epochs: float | None,
    data_samples: int | None,
    global_batch: int,
    seq_len: int | None,
    stages: tuple[Stage, ...],
) -> float | None:
    """Return the samples of a run from the one key that says so; None if none does.

    An epoch has whole steps only; the samples left over at its end are dropped.

    Raises:
        InputError: two keys say it, epochs of no data set, or tokens of a model whose samples have none.
    """
    said = {"tokens": tokens, "samples": samples, "epochs": epochs, "stages": stages or None}
    named = [name for name, value in said.items() if value is not None]
    if len(named) > 1:
        with context.at(named[1]):
            raise InputError(f"{' and '.join(named)} both say how long the run is; keep one.")
    if stages:
        return float(sum(one.samples for one in stages))
    if epochs is None:
        return None if tokens is samples is None else _samples(tokens, samples, seq_len, context)
    with context.at("epochs"):
        if data_samples is None:
            raise InputError("an epoch goes over a data set; write 'data', or 'samples' or 'tokens' instead.")
        if data_samples < global_batch:
            raise InputError(f"a data set of {data_samples} samples does not fill one step of {global_batch}.")
    return float(epochs * (data_samples // global_batch * global_batch))
