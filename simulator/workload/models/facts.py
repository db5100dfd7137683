"""A model known by what one forward pass of one sample costs, not by its layers."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.foundation.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class SizedCost:
    """Multiply-adds of one forward pass at one image size (pixels along an edge)."""

    image_size: int
    macs: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardFacts:
    """Published cost of one forward pass of one sample; FLOP are twice the multiply-adds.

    ``sample`` says what a sample is: an image, a user-item pair, an utterance, a denoiser call. ``activations`` counts
    the outputs of convolutions and matrix products in elements, as timm does; None where it was not published.
    """

    name: str
    kind: str
    family: str
    sample: str
    macs: float
    parameters: float | None = None
    image_size: int | None = None
    activations: float | None = None
    other_sizes: tuple[SizedCost, ...] = ()

    def macs_at(self, image_size: int | None = None) -> float:
        """Return the multiply-adds of one sample at an image size (pixels; None: the size of the facts).

        A published size is returned as published; any other is scaled by area from the nearest published one, which
        holds for convolutions and overrates nothing but the classifier.

        Raises:
            InputError: a size is asked of a model whose samples have none.
        """
        if image_size is None or image_size == self.image_size:
            return self.macs
        if self.image_size is None:
            raise InputError(f"model {self.name!r} has no image size; its sample is one {self.sample}.")
        known = (SizedCost(image_size=self.image_size, macs=self.macs), *self.other_sizes)
        nearest = min(known, key=lambda cost: (abs(cost.image_size - image_size), cost.image_size))
        return nearest.macs * (image_size / nearest.image_size) ** 2

    def activations_at(self, image_size: int | None = None) -> float | None:
        """Return the activations of one sample (elements), scaled by area; None where they are not known."""
        if self.activations is None or image_size is None or self.image_size is None:
            return self.activations
        return self.activations * (image_size / self.image_size) ** 2
