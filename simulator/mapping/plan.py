"""A plan: how one training job is split. A table of plans is the same with one row per plan.

Ranks are numbered with TP innermost, then CP, then DP, and PP outermost; expert parallelism re-uses consecutive ranks
of one pipeline stage (the order of Megatron-LM and torchtitan). With the order ``tp-cp-pp-dp`` (Megatron-LM's
``--use-tp-pp-dp-mapping``) the ranks of one replica follow each other, all its stages, and DP is outermost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.foundation.errors import InputError

Ints = NDArray[np.int64]

RECOMPUTE = ("none", "selective", "full")
SCHEDULES = ("gpipe", "1f1b", "zb-h1", "dualpipe")  # 1f1b with virtual stages is the interleaved schedule
SPLIT_BACKWARD = SCHEDULES.index("zb-h1")  # from here on, weight gradients are passes of their own
ORDERS = ("tp-cp-dp-pp", "tp-cp-pp-dp")  # which degrees are inner and outer in the numbers of ranks


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Degrees of parallelism, batch split and memory savers of one job; ``ranks`` is tp * cp * dp * pp."""

    tp: int = 1  # tensor: cuts each matrix; wants the fastest links
    cp: int = 1  # context: cuts the sequence
    dp: int = 1  # data: cuts the batch
    pp: int = 1  # pipeline: cuts the layers
    ep: int = 1  # expert: spreads the experts over the ranks of one stage
    vpp: int = 1  # virtual stages (model chunks) per pipeline rank
    micro_batch: int = 1  # samples of one forward pass of one DP rank
    micro_batches: int = 1  # forward passes per step and DP rank
    zero: int = 0  # what DP shards: 0 nothing, 1 optimizer, 2 and gradients, 3 and weights (FSDP)
    sequence_parallel: bool = False
    recompute: str = "none"
    schedule: str = "1f1b"
    order: str = "tp-cp-dp-pp"
    layers_per_stage: tuple[int, ...] = ()  # of each stage, embedding and head apart; empty: as even as may be
    shares: tuple[int, ...] = ()  # micro-batches of each DP rank, the most of them ``micro_batches``; empty: equal

    def __post_init__(self) -> None:
        degrees = {
            name: getattr(self, name) for name in ("tp", "cp", "dp", "pp", "ep", "vpp", "micro_batch", "micro_batches")
        }
        for name, value in degrees.items():
            if value < 1:
                raise InputError(f"{name}={value}: every degree must be at least 1.")
        if (self.tp * self.cp * self.dp) % self.ep:
            raise InputError(f"ep={self.ep} must divide tp*cp*dp={self.tp * self.cp * self.dp}.")
        if self.recompute not in RECOMPUTE:
            raise InputError(f"recompute={self.recompute!r}: write one of {', '.join(RECOMPUTE)}.")
        if self.schedule not in SCHEDULES:
            raise InputError(f"schedule={self.schedule!r}: write one of {', '.join(SCHEDULES)}.")
        if self.zero not in (0, 1, 2, 3):
            raise InputError(f"zero={self.zero}: write 0, 1, 2 or 3.")
        if self.order not in ORDERS:
            raise InputError(f"order={self.order!r}: write one of {', '.join(ORDERS)}.")
        if self.order == "tp-cp-pp-dp" and (self.tp * self.cp) % self.ep:
            raise InputError(f"order='tp-cp-pp-dp' keeps the experts of a replica inside it: ep={self.ep} must divide "
                             f"tp*cp={self.tp * self.cp}.")  # fmt: skip
        self._check_stages()
        if self.vpp > 1 and self.pp == 1:
            raise InputError(f"vpp={self.vpp} needs pp > 1: virtual stages interleave pipeline stages.")
        if self.vpp > 1 and SCHEDULES.index(self.schedule) >= SPLIT_BACKWARD:
            raise InputError(f"schedule={self.schedule!r} has no virtual stages: write vpp: 1, or schedule: 1f1b.")
        self._check_dualpipe()
        self._check_shares()

    def _check_dualpipe(self) -> None:
        """Raise :class:`InputError` if replicas do fewer micro-batches than DualPipe needs, or an odd number."""
        for count in sorted({self.micro_batches, *self.shares}):
            if self.schedule == "dualpipe" and (self.pp % 2 or count % 2 or count < 2 * self.pp):
                raise InputError(
                    f"schedule='dualpipe' with pp={self.pp} and {count} micro-batches: it needs an even pp "
                    f"and an even number of micro-batches, at least 2 * pp = {2 * self.pp}."
                )

    def _check_stages(self) -> None:
        """Raise :class:`InputError` if the layers named for the stages are not those of ``pp`` stages."""
        named = list(self.layers_per_stage)
        if named and len(named) != self.pp:
            raise InputError(f"layers_per_stage={named} names {len(named)} stages; pp={self.pp} has as many as that.")
        for stage, layers in enumerate(named):
            if layers < 1 or layers % self.vpp:
                raise InputError(
                    f"layers_per_stage={named}: stage {stage} holds {layers} layers; each holds at least one layer per "
                    f"virtual stage, and equally many in each (vpp={self.vpp})."
                )

    def _check_shares(self) -> None:
        """Raise :class:`InputError` if the shares are not those of the replicas, or replicas cannot have unequal ones.

        Replicas that gather weights or exchange tokens in each pass must do equally many passes.
        """
        if not self.shares:
            return
        if len(self.shares) != self.dp or min(self.shares) < 0 or max(self.shares) != self.micro_batches:
            raise InputError(
                f"{len(self.shares)} shares of micro-batches for dp={self.dp} replicas: each has one of at least 0, "
                f"and the largest is micro_batches={self.micro_batches}."
            )
        if self.zero > 1:
            raise InputError(f"shares with zero={self.zero}: its replicas meet in each pass, so that all must do "
                             "equally many; write zero: 0 or 1, or equal shares.")  # fmt: skip
        if (self.tp * self.cp) % self.ep:
            raise InputError(f"shares with ep={self.ep}: replicas that exchange tokens do equally many passes; ep must "
                             f"divide tp*cp={self.tp * self.cp}.")  # fmt: skip

    @property
    def ranks(self) -> int:
        """Devices that the job needs."""
        return self.tp * self.cp * self.dp * self.pp

    def first_rank(self, stage: int, replica: int) -> int:
        """Return the first of the tp * cp ranks that hold one stage of one replica."""
        across = self.order == "tp-cp-dp-pp"
        seat = stage * self.dp + replica if across else replica * self.pp + stage
        return seat * self.tp * self.cp

    @property
    def global_batch(self) -> int:
        """Samples of one step."""
        return self.micro_batch * (sum(self.shares) if self.shares else self.micro_batches * self.dp)

    def share(self, replica: int) -> int:
        """Return the micro-batches of one DP rank."""
        return self.shares[replica] if self.shares else self.micro_batches

    def of_share(self, micro_batches: int) -> Plan:
        """Return the plan of a job whose replicas all do as many micro-batches as those of one share."""
        return replace(self, shares=(), micro_batches=max(micro_batches, 1))

    def with_shares(self, shares: Sequence[int]) -> Plan:
        """Return the plan with other shares; equal ones are none."""
        most = max(shares)
        return replace(self, micro_batches=most, shares=() if min(shares) == most else tuple(shares))


#: columns of a table that are indices into names
_NAMED: Final = {"recompute": RECOMPUTE, "schedule": SCHEDULES, "order": ORDERS}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTable:
    """Many plans as columns of equal length; recompute, schedule and order are indices into their names.

    ``layers_per_stage`` has a column per stage, or none where all plans are cut as evenly as may be. Plans with stages
    of their own stand in tables of one pipeline depth; zeros mark even plans among them.
    """

    tp: Ints
    cp: Ints
    dp: Ints
    pp: Ints
    ep: Ints
    vpp: Ints
    micro_batch: Ints
    micro_batches: Ints
    zero: Ints
    sequence_parallel: Ints
    recompute: Ints
    schedule: Ints
    order: Ints
    layers_per_stage: Ints  # P x stages, or P x 0

    @staticmethod
    def of(plans: Sequence[Plan]) -> PlanTable:
        """Return the table whose rows are ``plans``."""

        def column(name: str) -> Ints:
            if name == "layers_per_stage":
                return _stages_named(plans)
            if name in _NAMED:
                return np.array([_NAMED[name].index(getattr(plan, name)) for plan in plans], dtype=np.int64)
            return np.array([int(getattr(plan, name)) for plan in plans], dtype=np.int64)

        return PlanTable(**{name.name: column(name.name) for name in fields(PlanTable)})

    def __len__(self) -> int:
        return len(self.tp)

    @property
    def ranks(self) -> Ints:
        """Devices of each plan."""
        return self.tp * self.cp * self.dp * self.pp

    def row(self, index: int) -> Plan:
        """Return one row as a plan."""
        values: dict[str, Any] = {
            name.name: int(getattr(self, name.name)[index])
            for name in fields(PlanTable)
            if name.name != "layers_per_stage"
        }
        stages = tuple(int(layers) for layers in self.layers_per_stage[index])
        return Plan(
            **{name: value for name, value in values.items() if name not in ("sequence_parallel", *_NAMED)},
            recompute=RECOMPUTE[values["recompute"]],
            schedule=SCHEDULES[values["schedule"]],
            order=ORDERS[values["order"]],
            sequence_parallel=bool(values["sequence_parallel"]),
            layers_per_stage=stages if any(stages) else (),
        )

    def take(self, rows: Ints | slice) -> PlanTable:
        """Return the table of the chosen rows."""
        return PlanTable(**{name.name: getattr(self, name.name)[rows] for name in fields(PlanTable)})

    @staticmethod
    def join(tables: Sequence[PlanTable]) -> PlanTable:
        """Return all plans of some tables (at least one), in order."""
        names = [name.name for name in fields(PlanTable)]
        return PlanTable(**{name: np.concatenate([getattr(table, name) for table in tables]) for name in names})

    def change(self, **columns: Ints) -> PlanTable:
        """Return the table with some columns replaced."""
        return replace(self, **columns)


def as_even_as_may_be(count: int) -> Ints:
    """Return the column ``layers_per_stage`` of plans that name no stages."""
    return np.zeros((count, 0), dtype=np.int64)


def _stages_named(plans: Sequence[Plan]) -> Ints:
    """Return the column ``layers_per_stage``."""
    if not any(plan.layers_per_stage for plan in plans):
        return as_even_as_may_be(len(plans))
    (stages,) = {plan.pp for plan in plans}  # one depth
    return np.array([plan.layers_per_stage or (0,) * stages for plan in plans], dtype=np.int64)
