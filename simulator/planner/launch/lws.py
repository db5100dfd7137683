"""Kubernetes LeaderWorkerSet: replicas of vLLM, each a group of pods where it needs several nodes.

Replicas for prompts and replicas that decode are a set each; a fleet that scales begins at its fewest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from simulator import __version__
from simulator.planner.launch import vllm
from simulator.planner.launch.names import label_refusals
from simulator.planner.launch.order import Role, ServeOrder

#: kinds and keys, and vLLM's multi-node-serving.sh, as docs/examples/vllm/GPU/lws.yaml uses them
CHECKED: Final = "LeaderWorkerSet, leaderworkerset.x-k8s.io/v1, docs/examples/vllm of commit 060ab4d"
FILE: Final = "lws.yaml"

_CLUSTER: Final = "bash /vllm-workspace/examples/online_serving/multi-node-serving.sh"


def refusals(order: ServeOrder) -> Sequence[str]:
    """Return what is in the way: vLLM's own limits, the name, nodes of several sizes, replicas that fill none."""
    found = [*vllm.refusals(order), *label_refusals(order.name)]
    if len(order.devices_per_node) > 1:
        found.append(f"nodes of {', '.join(map(str, order.devices_per_node))} devices (its pods are alike)")
    devices, node = order.workload.layout.devices, order.devices_per_node[0]
    if devices > node and devices % node:
        found.append(f"replicas of {devices} devices on nodes of {node} (they must fill their nodes)")
    return found


def text(order: ServeOrder) -> str:
    """Return the sets and their services; image and weights are to be filled in."""
    head = f"""# Written by rackcast {__version__}. Keys checked against {CHECKED}.
# Set MODEL and IMAGE (vLLM's own has the script that joins pods). Devices are asked for as nvidia.com/gpu.
"""
    if order.workload.prefill is not None:
        head += "# Requests go to a router that asks a replica for prompts first, then one that decodes.\n"
    if (scale := order.workload.scale) is not None:
        most = "as many as there is room for" if scale.maximum is None else str(scale.maximum)
        head += f"# It scales: give whatever scales the set the bounds {scale.minimum} and {most}.\n"
    return head + "---\n".join(_set(order, role) for role in order.roles)


def _set(order: ServeOrder, role: Role) -> str:
    devices, node = order.workload.layout.devices, order.devices_per_node[0]
    name, size = role.of(order.name), order.nodes_per_replica
    replicas = role.replicas if order.workload.scale is None else max(1, order.workload.scale.minimum)
    start = f"vllm serve MODEL --port 8000 {' '.join([*vllm.flags(order), *vllm.transfer(role)])}"
    if size > 1:
        start = f"{_CLUSTER} leader --ray_cluster_size=$(LWS_GROUP_SIZE); {start} --distributed-executor-backend ray"
    first = _pod("leader", start, min(devices, node), address=bool(role.name))
    worker = _pod("worker", f"{_CLUSTER} worker --ray_address=$(LWS_LEADER_ADDRESS)", min(devices, node))
    workers = f"    workerTemplate:\n{worker}" if size > 1 else f"    workerTemplate:\n{first}"
    leader = f"    leaderTemplate:\n{first}" if size > 1 else ""
    return f"""apiVersion: leaderworkerset.x-k8s.io/v1
kind: LeaderWorkerSet
metadata:
  name: {name}
spec:
  replicas: {replicas}
  leaderWorkerTemplate:
    size: {size}
    restartPolicy: RecreateGroupOnPodRestart
{leader}{workers}---
apiVersion: v1
kind: Service
metadata:
  name: {name}
spec:
  ports:
    - {{name: http, port: 8000, protocol: TCP, targetPort: 8000}}
  selector:
    leaderworkerset.sigs.k8s.io/name: {name}
    role: leader
  type: ClusterIP
"""


def _pod(role: str, command: str, devices: int, *, address: bool = False) -> str:
    """Return a pod template, indented to stand under its key; ``address`` tells it its own, for those it hands to."""
    told = """            env:
              - name: VLLM_NIXL_SIDE_CHANNEL_HOST
                valueFrom: {fieldRef: {fieldPath: status.podIP}}
""" if address else ""  # fmt: skip
    probe = """            readinessProbe:
              tcpSocket: {port: 8000}
              periodSeconds: 10
""" if role == "leader" else ""  # fmt: skip
    return f"""      metadata:
        labels:
          role: {role}
      spec:
        containers:
          - name: {role}
            image: IMAGE
            command: [sh, -c, '{command}']
{told}            resources:
              limits:
                nvidia.com/gpu: {devices}
{probe}            volumeMounts:
              - {{mountPath: /dev/shm, name: shared-memory}}
        volumes:
          - name: shared-memory
            emptyDir: {{medium: Memory}}
"""
