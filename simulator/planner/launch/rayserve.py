"""Ray Serve with vLLM inside (``ray.serve.llm``): what ``serve run`` and KubeRay's RayService take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from simulator import __version__
from simulator.planner.launch import vllm
from simulator.planner.launch.order import ServeOrder

#: keys as KubeRay's ray-service.llm-serve.yaml uses them; read by Ray 2.60's own ServeDeploySchema
CHECKED: Final = "Ray Serve LLM, ray.serve.llm of Ray 2.60, and vLLM 0.32.0, engine arguments"
FILE: Final = "ray-serve.yaml"


def refusals(order: ServeOrder) -> Sequence[str]:
    """Return what is in the way: what vLLM cannot do, and autoscaling by another rule."""
    found = vllm.refusals(order)
    if order.workload.scale is not None:
        found.append("a fleet that scales by its own rule (the file holds a fixed number of replicas)")
    return found


def text(order: ServeOrder) -> str:
    """Return the configuration; the model's name and source are to be filled in."""
    one = order.workload
    settings = "\n".join(f"              {line}" for line in _engine(order))
    ongoing = (
        "" if one.engine.max_num_seqs is None else f"\n              max_ongoing_requests: {one.engine.max_num_seqs}"
    )
    return f"""# Written by rackcast {__version__}. Keys checked against {CHECKED}.
# Set MODEL; then serve run {FILE}, or put it under serveConfigV2 of a RayService.
applications:
  - name: {order.name}
    import_path: ray.serve.llm:build_openai_app
    route_prefix: /
    args:
      llm_configs:
        - model_loading_config:
            model_id: {one.model.name}
            model_source: MODEL
          engine_kwargs:
{settings}
          deployment_config:
              num_replicas: {order.replicas}{ongoing}
"""


def _engine(order: ServeOrder) -> Iterator[str]:
    """Yield vLLM's flags as the arguments of its engine."""
    for flag in vllm.flags(order):
        for word in flag.split(" --"):
            name, _, value = word.removeprefix("--").partition(" ")
            yield f"{name.replace('-', '_')}: {value or 'true'}"
