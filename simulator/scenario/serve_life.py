"""How many replicas a service has, how they start, and what happens to them: autoscaler, start-up, events."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from simulator.engine.serving.scaling.loop import Scaling, StartUp
from simulator.engine.serving.scaling.outside import FleetEvent
from simulator.engine.serving.scaling.policies import options_of
from simulator.foundation.schema import Count, PositiveSeconds, Seconds, StrictModel, quantity
from simulator.foundation.units import GIGA
from simulator.scenario.kinds import Context

_Bandwidth: Any = quantity("bandwidth", above=True)


class StartUpFile(StrictModel):
    """What starting a replica takes, phase by phase."""

    schedule: Seconds = 2.0
    image: Seconds = 20.0
    weights: Seconds | None = Field(default=None, description="left out: from the bytes and load_bandwidth")
    load_bandwidth: _Bandwidth = 2 * GIGA
    compile: Seconds = 0.0
    warm_up: Seconds = 5.0


class ScaleFile(StrictModel):
    """An autoscaler and its bounds."""

    policy: str
    minimum: Annotated[int, Field(ge=0)] = 1
    maximum: Count | None = None
    start: Annotated[int, Field(ge=0)] | None = Field(default=None, description="replicas at the beginning")
    look_every: PositiveSeconds = 15.0
    options: dict[str, float] = Field(default_factory=dict)
    start_up: StartUpFile = StartUpFile()


class ServeEventFile(StrictModel):
    """Something that happens to replicas."""

    kind: Literal["loss", "cut-off", "reclaim", "drain", "rollout", "canary", "blue-green", "migrate"]
    at: Seconds
    count: Count = Field(default=1, description="replicas hit, or replaced at a time")
    first: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="number of the first replica hit; left out: those opened last"
    )
    repair: Seconds | None = Field(default=None, description="until a lost or drained replica starts up again")
    notice: Seconds = Field(default=120.0, description="of draining before a reclaimed machine is gone")
    watch: Seconds = Field(default=300.0, description="how long a canary is looked at before the rest follows")


def check_scale(file: ScaleFile | None, context: Context) -> None:
    """Refuse an autoscaler that nobody knows, or options that it does not have."""
    if file is not None:
        with context.at():
            _ = options_of(file.policy, file.options)


def scaling_of(file: ScaleFile | None, load_bytes: float) -> Scaling:
    """Return the autoscaler; ``load_bytes`` are a replica's weights on one device."""
    if file is None:
        return Scaling()
    start = file.start_up
    return Scaling(
        policy=file.policy,
        minimum=file.minimum,
        maximum=file.maximum,
        look_every_s=file.look_every,
        options=file.options,
        start_up=StartUp(
            schedule_s=start.schedule,
            image_s=start.image,
            weights_s=load_bytes / start.load_bandwidth if start.weights is None else start.weights,
            compile_s=start.compile,
            warm_up_s=start.warm_up,
        ),
    )


def event_of(file: ServeEventFile) -> FleetEvent:
    """Return what happens to replicas."""
    return FleetEvent(kind=file.kind, at_s=file.at, count=file.count, first=file.first, repair_s=file.repair,
                      notice_s=file.notice, watch_s=file.watch)  # fmt: skip
