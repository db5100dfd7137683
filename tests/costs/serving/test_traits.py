"""Classes of inference kernels: they name devices of the catalogue, and kin without measurements say so."""

from __future__ import annotations

import pytest
from ruamel.yaml import YAML

from simulator.costs.serving.traits import kernels_of
from simulator.foundation.shipped import shipped
from simulator.profiles.catalogue import load_catalogue

CATALOGUE = load_catalogue()


def test_a_class_names_architectures_of_the_catalogue_only_and_each_once():
    built = {(device.kind, device.architecture) for device in CATALOGUE.devices.values()}
    path = shipped("hardware_profiles") / "efficiency" / "serving.yaml"
    named = [(entry["kind"], name) for entry in YAML(typ="safe").load(path.read_text("utf-8"))["devices"]
             for name in (*entry["architectures"], *entry.get("inherited_by", ()))]  # fmt: skip
    assert set(named) <= built
    assert len(named) == len(set(named))


@pytest.mark.parametrize(
    ("name", "kin"),
    [("nvidia-gb10-dgx-spark-128gb", "blackwell-workstation"), ("nvidia-rubin-288gb", "blackwell"),
     ("amd-rx-7900-xtx-24gb", "cdna"), ("amd-mi250-128gb", "cdna"), ("google-tpu-v7x", "tpu")],
)  # fmt: skip
def test_a_device_without_measurements_takes_after_its_kin_and_says_assumed(name, kin):
    kernels = kernels_of(CATALOGUE.devices[name])
    assert (kernels.name, kernels.origin) == (kin, "assumed")


def test_a_device_with_measurements_does_not_say_assumed():
    assert kernels_of(CATALOGUE.devices["amd-mi300x-192gb"]).origin == "calibrated"
