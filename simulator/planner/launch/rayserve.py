"""Ray Serve with vLLM inside (``ray.serve.llm``): what ``serve run`` and KubeRay's RayService take.

Where prompts are computed apart, the application is the one that Ray has for that, with a configuration per role.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from simulator import __version__
from simulator.planner.launch import vllm
from simulator.planner.launch.order import Role, ServeOrder

#: keys as KubeRay's ray-service.llm-serve.yaml uses them; read by Ray 2.60's own ServeDeploySchema; roles as
#: its PDServingArgs names them
CHECKED: Final = "Ray Serve LLM, ray.serve.llm of Ray 2.60, and vLLM 0.32.0, engine arguments"
FILE: Final = "ray-serve.yaml"


def refusals(order: ServeOrder) -> Sequence[str]:
    """Return what is in the way: what vLLM cannot do, and autoscaling by another rule."""
    found = vllm.refusals(order)
    if order.workload.layout.dp_attention > 1:
        found.append(f"{order.workload.layout.dp_attention} ranks of attention (vllm.sh starts them)")
    if order.workload.scale is not None:
        found.append("a fleet that scales by its own rule (the file holds a fixed number of replicas)")
    return found


def text(order: ServeOrder) -> str:
    """Return the configuration; the model's source is to be filled in."""
    apart = len(order.roles) > 1
    builder = "build_pd_openai_app" if apart else "build_openai_app"
    configs = "".join(
        f"      {role.name}_config:\n{_config(order, role, ' ' * 8)}" if apart
        else f"      llm_configs:\n        - {_config(order, role, ' ' * 10).lstrip()}"
        for role in order.roles
    )  # fmt: skip
    return f"""# Written by rackcast {__version__}. Keys checked against {CHECKED}.
# Set MODEL; then serve run {FILE}, or put it under serveConfigV2 of a RayService.
applications:
  - name: {order.name}
    import_path: ray.serve.llm:{builder}
    route_prefix: /
    args:
{configs}"""


def _config(order: ServeOrder, role: Role, margin: str) -> str:
    """Return the configuration of the replicas of one role, each line after a margin."""
    one = order.workload
    lines = [
        "model_loading_config:",
        f"  model_id: {one.model.name}",
        "  model_source: MODEL",
        "engine_kwargs:",
        *(f"  {line}" for line in _engine(order)),
    ]
    if role.name:
        lines += [
            "  kv_transfer_config:",
            f"    kv_connector: {vllm.CONNECTOR}",
            f"    kv_role: {vllm.ROLES[role.name]}",
        ]
    lines += ["deployment_config:", f"  num_replicas: {role.replicas}"]
    if one.engine.max_num_seqs is not None:
        lines.append(f"  max_ongoing_requests: {one.engine.max_num_seqs}")
    return "".join(f"{margin}{line}\n" for line in lines)


def _engine(order: ServeOrder) -> Iterator[str]:
    """Yield vLLM's flags as the arguments of its engine."""
    for flag in vllm.flags(order):
        for word in flag.split(" --"):
            name, _, value = word.removeprefix("--").partition(" ")
            on = not name.startswith("no-")
            yield f"{name.removeprefix('no-').replace('-', '_')}: {value or str(on).lower()}"
