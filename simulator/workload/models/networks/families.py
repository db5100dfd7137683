"""The modules that register families of networks; adding a family is adding its module here."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from simulator.workload.models.networks import (
    convnext,
    densenet,
    detection,
    efficientdet,
    generative,
    graph,
    grouped_cnn,
    hrnet,
    inception,
    mobile,
    normalizer_free,
    plain_cnn,
    pyramid,
    recommender,
    recurrent,
    regnet,
    resnet,
    speech,
    unet,
    vision_transformer,
)

MODULES: Final[tuple[ModuleType, ...]] = (
    plain_cnn,
    resnet,
    regnet,
    inception,
    densenet,
    mobile,
    grouped_cnn,
    hrnet,
    convnext,
    normalizer_free,
    detection,
    efficientdet,
    pyramid,
    unet,
    vision_transformer,
    recurrent,
    speech,
    recommender,
    generative,
    graph,
)
