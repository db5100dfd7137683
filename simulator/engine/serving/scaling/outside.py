"""What happens to replicas from outside: losses, spot reclaims, drains, new versions, moves; as acts in time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from simulator.foundation.errors import InputError
from simulator.foundation.registry import Registry

#: an act that is not about one named replica
ANY: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetEvent:
    """Something that happens to replicas from outside.

    Attributes:
        kind: a name in :data:`kinds_of_event`.
        at_s: when it begins.
        count: replicas hit, or replaced at a time.
        first: number of the first replica hit, the others follow; None: those opened last.
        repair_s: until a lost or drained replica starts up again; None: never.
        notice_s: seconds of draining before a spot machine is gone.
        watch_s: how long a canary is looked at before the rest follows.
    """

    kind: str
    at_s: float
    count: int = 1
    first: int | None = None
    repair_s: float | None = None
    notice_s: float = 120.0
    watch_s: float = 300.0


class Act(NamedTuple):
    """One change at one instant; acts at one instant go by ``order``."""

    at_s: float
    order: int
    what: str  # lose, cut, drain, take, replace, swap, move
    replica: int = ANY
    repair_s: float = float("inf")  # until a lost or drained one is there again


Unfold = Callable[[FleetEvent, int, float], list[Act]]
#: from an event, the count of replicas and the seconds of a start-up to acts
kinds_of_event: Final[Registry[Unfold]] = Registry("event")


def unfold(events: Sequence[FleetEvent], replicas: int, start_up_s: float) -> list[Act]:
    """Return the acts of all events in order.

    Raises:
        UnknownName: an event of no known kind.
        InputError: an event that would hit no replica.
    """
    found: list[Act] = []
    for event in events:
        if event.count < 1:
            raise InputError(f"an event {event.kind!r} of {event.count} replicas hits nobody; name at least one.")
        if event.first is not None and event.first + event.count > replicas:
            raise InputError(
                f"an event {event.kind!r} hits replicas {event.first} to {event.first + event.count - 1}; "
                f"there are 0 to {replicas - 1}."
            )
        found += kinds_of_event[event.kind](event, replicas, start_up_s)
    return sorted(found, key=lambda act: (act.at_s, act.order))


@kinds_of_event.register("loss")
def _loss(event: FleetEvent, replicas: int, start_up_s: float) -> list[Act]:
    """``count`` replicas are lost at once with all they hold; after ``repair_s`` they start up again."""
    del replicas, start_up_s
    repair_s = _or_never(event.repair_s)
    return [Act(event.at_s, i, "lose", _hit(event, i), repair_s=repair_s) for i in range(event.count)]


@kinds_of_event.register("cut-off")
def _cut_off(event: FleetEvent, replicas: int, start_up_s: float) -> list[Act]:
    """``count`` replicas are out of reach: requests go elsewhere, and they serve again when it ends."""
    del replicas, start_up_s
    repair_s = _or_never(event.repair_s)
    return [Act(event.at_s, i, "cut", _hit(event, i), repair_s=repair_s) for i in range(event.count)]


@kinds_of_event.register("reclaim")
def _reclaim(event: FleetEvent, replicas: int, start_up_s: float) -> list[Act]:
    """``count`` spot machines are told that they go, drain, and are gone after the notice."""
    del replicas, start_up_s
    told = [Act(event.at_s, i, "drain", _hit(event, i)) for i in range(event.count)]
    return told + [Act(event.at_s + event.notice_s, i, "take") for i in range(event.count)]


@kinds_of_event.register("drain")
def _drain(event: FleetEvent, replicas: int, start_up_s: float) -> list[Act]:
    """Maintenance: ``count`` replicas finish what they have, rest, and start up again after ``repair_s``."""
    del replicas, start_up_s
    repair_s = _or_never(event.repair_s)
    return [Act(event.at_s, i, "drain", _hit(event, i), repair_s=repair_s) for i in range(event.count)]


@kinds_of_event.register("rollout")
def _rolling(event: FleetEvent, replicas: int, start_up_s: float) -> list[Act]:
    """A new version, ``count`` replicas at a time: at least all but ``count`` serve throughout."""
    return [
        Act(event.at_s + (i // event.count) * start_up_s, i, "replace", i)
        for i in range(replicas)
    ]  # fmt: skip


@kinds_of_event.register("canary")
def _canary(event: FleetEvent, replicas: int, start_up_s: float) -> list[Act]:
    """A new version on ``count`` replicas first; the rest follows, ``count`` at a time, after it was watched."""
    watched = [0.0 if i < event.count else event.watch_s for i in range(replicas)]
    return [Act(event.at_s + watched[i] + (i // event.count) * start_up_s, i, "replace", i) for i in range(replicas)]


@kinds_of_event.register("blue-green")
def _blue_green(event: FleetEvent, replicas: int, start_up_s: float) -> list[Act]:
    """A whole second fleet of the new version starts beside the old one, which closes when the new one is ready."""
    del replicas, start_up_s
    return [Act(event.at_s, 0, "swap")]


@kinds_of_event.register("migrate")
def _migrate(event: FleetEvent, replicas: int, start_up_s: float) -> list[Act]:
    """``count`` replicas move to free places: live where there is one, with a gap of a start-up where there is none."""
    del replicas, start_up_s
    return [Act(event.at_s, i, "move", _hit(event, i)) for i in range(event.count)]


def _hit(event: FleetEvent, order: int) -> int:
    """Return the replica that the event hits in its turn; ANY where it names none."""
    return ANY if event.first is None else event.first + order


def _or_never(seconds: float | None) -> float:
    return float("inf") if seconds is None else seconds
