"""The modules that register families of networks; adding a family is adding its module here."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from simulator.workload.models.networks import densenet, inception, mobile, plain_cnn, resnet

MODULES: Final[tuple[ModuleType, ...]] = (plain_cnn, resnet, inception, densenet, mobile)
