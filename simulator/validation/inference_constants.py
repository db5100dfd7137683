"""What is fitted to measured inference: constants of classes of devices and of engines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from simulator.costs.serving.forward import Runner
from simulator.costs.serving.iteration import Replica
from simulator.costs.serving.traits import EngineTraits, Kernels


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceConstants:
    """Classes of devices and engines by their names; others are as shipped."""

    kernels: tuple[Kernels, ...] = ()
    engines: tuple[EngineTraits, ...] = ()

    def _of(self, kernels: Kernels, engine: EngineTraits) -> tuple[Kernels, EngineTraits]:
        """Return a class and an engine with these constants in place."""
        return (
            next((one for one in self.kernels if one.name == kernels.name), kernels),
            next((one for one in self.engines if one.name == engine.name), engine),
        )

    def narrowed(self, kernels: Kernels, engine: EngineTraits) -> InferenceConstants:
        """Return what of these constants a class and an engine read."""
        return InferenceConstants(
            kernels=tuple(one for one in self.kernels if one.name == kernels.name),
            engines=tuple(one for one in self.engines if one.name == engine.name),
        )

    def on_replica(self, replica: Replica) -> Replica:
        """Return a replica with these constants in place."""
        kernels, engine = self._of(replica.kernels, replica.engine)
        return replace(replica, kernels=kernels, engine=engine)

    def on_runner(self, runner: Runner) -> Runner:
        """Return what runs a forward pass with these constants in place."""
        kernels, engine = self._of(runner.kernels, runner.engine)
        return replace(runner, kernels=kernels, engine=engine)


AS_SHIPPED: Final = InferenceConstants()
