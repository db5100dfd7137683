"""Kubernetes JobSet: an indexed job with one pod per node, each of which starts the node's script of the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from simulator import __version__
from simulator.planner.launch.names import label_refusals
from simulator.planner.launch.order import TrainOrder

#: kinds and keys of the API, as its examples/pytorch use them
CHECKED: Final = "JobSet, jobset.x-k8s.io/v1alpha2, examples of commit 392792f1"
FILE: Final = "jobset.yaml"


def refusals(order: TrainOrder) -> Sequence[str]:
    """Return what is in the way: only a name that Kubernetes does not take."""
    return label_refusals(order.name)


def text(order: TrainOrder) -> str:
    """Return the manifest; image and arguments are to be filled in."""
    return f"""# Written by rackcast {__version__}. Keys checked against {CHECKED}.
# Set the image, which holds the node's script and what it starts. Devices are asked for as nvidia.com/gpu.
apiVersion: jobset.x-k8s.io/v1alpha2
kind: JobSet
metadata:
  name: {order.name}
spec:
  network:
    enableDNSHostnames: true
    subdomain: {order.name}
  replicatedJobs:
    - name: node
      replicas: 1
      template:
        spec:
          completionMode: Indexed
          parallelism: {order.nodes}
          completions: {order.nodes}
          backoffLimit: 0
          template:
            spec:
              restartPolicy: Never
              containers:
                - name: train
                  image: IMAGE
                  command: [bash, -c, 'NODE_RANK=$JOB_COMPLETION_INDEX exec bash {order.script}']
                  env:
                    - name: MASTER_ADDR
                      value: {order.name}-node-0-0.{order.name}
                  resources:
                    limits:
                      nvidia.com/gpu: {order.devices_per_node}
"""
