"""rackcast: a hardware-aware cluster simulator and planner.

Reading order, from the ground up: ``foundation`` (errors, units, strict files), ``profiles`` (the parts) and
``workload`` (the demand), ``topology`` (the wiring), ``mapping`` (the decision), ``costs`` (closed forms), ``engine``
(time passes), ``results``, ``scenario`` (a question as data), ``planner``, ``validation``, ``study``, ``cli``.

The names below are imported when they are first used, so that ``import simulator`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from simulator.profiles.catalogue import load_catalogue
    from simulator.scenario import load_scenario
    from simulator.simulation.simulate import simulate
    from simulator.study.compare import compare
    from simulator.study.sweep import sweep
    from simulator.topology import build_cluster
    from simulator.workload.models.library import load_model

__version__ = "0.1.0"

#: public name -> the module that holds it
_PUBLIC: Final = {
    "build_cluster": "simulator.topology",
    "compare": "simulator.study",
    "load_catalogue": "simulator.profiles.catalogue",
    "load_model": "simulator.workload.models.library",
    "load_scenario": "simulator.scenario",
    "simulate": "simulator.simulation",
    "sweep": "simulator.study",
}

__all__ = [
    "__version__",
    "build_cluster",
    "compare",
    "load_catalogue",
    "load_model",
    "load_scenario",
    "simulate",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
