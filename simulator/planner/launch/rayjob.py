"""Ray on Kubernetes (KubeRay RayJob): a cluster of the plan's nodes, and a program that starts a node's script on each.

The program is plain Ray: a placement group with one bundle per node, spread strictly, so it runs on any Ray cluster.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from simulator import __version__
from simulator.planner.launch.names import label_refusals
from simulator.planner.launch.order import TrainOrder

#: keys as ray-operator/config/samples of KubeRay use them; the program ran on Ray 2.60
CHECKED: Final = "KubeRay, ray.io/v1, samples of commit feeaf72f, and Ray 2.60"
FILE: Final = "rayjob.yaml"
PROGRAM: Final = "ray_start.py"


def refusals(order: TrainOrder) -> Sequence[str]:
    """Return what is in the way: only a name that Kubernetes does not take."""
    return label_refusals(order.name)


def files(order: TrainOrder) -> dict[str, str]:
    """Return the manifest and the program that it runs."""
    return {FILE: _manifest(order), PROGRAM: _program(order)}


def _manifest(order: TrainOrder) -> str:
    return f"""# Written by rackcast {__version__}. Keys checked against {CHECKED}.
# Set the image, which holds Ray, {PROGRAM} and the node's script with what it starts.
apiVersion: ray.io/v1
kind: RayJob
metadata:
  name: {order.name}
spec:
  shutdownAfterJobFinishes: true
  entrypoint: python {PROGRAM} {order.script}
  rayClusterSpec:
    headGroupSpec:
      rayStartParams: {{num-cpus: "0", num-gpus: "0"}}
      template:
        spec:
          containers:
            - name: ray-head
              image: IMAGE
    workerGroupSpecs:
      - groupName: nodes
        replicas: {order.nodes}
        minReplicas: {order.nodes}
        maxReplicas: {order.nodes}
        rayStartParams: {{num-gpus: "{order.devices_per_node}"}}
        template:
          spec:
            containers:
              - name: ray-worker
                image: IMAGE
                resources:
                  limits: {{nvidia.com/gpu: "{order.devices_per_node}"}}
"""


def _program(order: TrainOrder) -> str:
    return f'''"""Written by rackcast {__version__}. Names checked against {CHECKED}.

Starts a node's script (megatron.sh, torchtitan.sh, fsdp.sh) once on every node: python {PROGRAM} SCRIPT ARGUMENTS...
"""

import os
import socket
import subprocess
import sys

import ray
from ray.util.placement_group import placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

NODES = {order.nodes}
DEVICES_PER_NODE = {order.devices_per_node}


@ray.remote(num_cpus=0, num_gpus=DEVICES_PER_NODE)
class Node:
    def address(self):
        return socket.gethostbyname(socket.gethostname())

    def start(self, rank, master, command):
        ranks = {{**os.environ, "NODE_RANK": str(rank), "MASTER_ADDR": master}}
        return subprocess.run(["bash", *command], env=ranks).returncode


def main(command):
    ray.init()
    group = placement_group([{{"GPU": DEVICES_PER_NODE}}] * NODES, strategy="STRICT_SPREAD")
    ray.get(group.ready())
    places = [PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=rank) for rank in range(NODES)]
    nodes = [Node.options(scheduling_strategy=place).remote() for place in places]
    master = ray.get(nodes[0].address.remote())
    return max(ray.get([node.start.remote(rank, master, command) for rank, node in enumerate(nodes)]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
'''
