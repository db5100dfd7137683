"""``simulate``: finds the workload that is asked about and hands it to who can play its kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from simulator.foundation.errors import InputError, UnknownName
from simulator.results.result import Result
from simulator.scenario import Scenario
from simulator.scenario.train import TrainWorkload
from simulator.simulation.training import simulate_training

#: class of workload -> function of (scenario, workload, plan or None) that plays it; a new kind adds its line
SIMULATORS: Final[dict[type, Callable[[Scenario, Any, Any], Result]]] = {TrainWorkload: simulate_training}


def simulate(scenario: Scenario, *, plan: Any = None, workload: str | None = None) -> Result:
    """Play a scenario under a plan and return what happened.

    Args:
        scenario: the question.
        plan: the decision; None for the scenario's own.
        workload: its id, where the scenario has several.

    Raises:
        InputError: nothing is decided yet, or the scenario has several workloads and none is named.
        Infeasible: the plan does not fit the devices' memory.
    """
    chosen = chosen_workload(scenario, workload)
    return SIMULATORS[type(chosen)](scenario, chosen, plan)


def chosen_workload(scenario: Scenario, workload: str | None = None) -> Any:
    """Return the workload with an id, or the only one; raises :class:`InputError` if there is no such one."""
    by_id = {one.id: one for one in scenario.workloads}
    if workload is not None and workload not in by_id:
        raise UnknownName("workload", workload, by_id)
    if workload is None and len(by_id) > 1:
        raise InputError(f"{scenario.name} has {len(by_id)} workloads; name one of {', '.join(by_id)}.")
    return by_id[workload] if workload is not None else scenario.workloads[0]
