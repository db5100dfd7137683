"""The network as flows that share links: max-min fair, exact, incremental.

Reading order: ``flows`` (what a caller sees), ``fill`` (the rule), ``repair`` (a change, solved where it happens),
``run`` (time passes), ``live`` (others drive), ``fabric`` (links and routes of a cluster), ``jobs``, ``ensemble`` and
``sharing`` (several jobs on one fabric).
"""

from __future__ import annotations

from simulator.engine.network.flows import Change, Flow, Flows, Played, fairness_gap, fold, play, rates

__all__ = ["Change", "Flow", "Flows", "Played", "fairness_gap", "fold", "play", "rates"]
