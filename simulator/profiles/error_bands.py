"""How far predictions lay from measurements, by kind of work and class of device: what a result may claim.

The table holds what ``rackcast validate --bands`` found on the shipped measurements; where it is missing, or has no
line for a class, nothing is claimed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal

from pydantic import Field

from simulator.foundation.schema import Count, Name, StrictModel, load
from simulator.profiles.catalogue import shipped_root

_Error = Annotated[float, Field(ge=0.0, le=10.0)]

#: training of language models, of encoders (and encoder-decoders), of other networks; generation; forward passes
Work = Literal["train", "train-encoder", "train-network", "serve", "predict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBand:
    """Relative errors of predicted times: means over publications of their median and 90th percentile (``most``).

    Constants were fitted on most of these ``rows``, so new work may lie further off.
    """

    median: float
    most: float
    rows: int
    publications: int

    @property
    def words(self) -> str:
        """The band as a result's summary quotes it."""
        return f"error on measurements {self.median:.0%}, 90 % below {self.most:.0%}"

    @property
    def told(self) -> str:
        """The band in words, after "on"."""
        if self.rows == 1:
            return f"the one measured row of such work on this class of device it is {self.median:.0%} off"
        if self.publications == 1:
            whose = "of one publication the median error is"
        else:
            whose = f"in the mean of {self.publications} publications the median error is"
        return (
            f"{self.rows} measured rows of such work on this class of device, {whose} {self.median:.0%} and the 90th "
            f"percentile {self.most:.0%}"
        )


class BandFile(StrictModel):
    """One line of the table."""

    work: Work
    device_class: Name = Field(description="name of an efficiency class")
    median: _Error
    most: _Error
    rows: Count
    publications: Count


class BandsFile(StrictModel):
    """``efficiency/error_bands.yaml``."""

    source: Annotated[str, Field(min_length=10)]
    bands: list[BandFile]


@cache
def _bands() -> dict[tuple[str, str], ErrorBand]:
    path = shipped_root() / "efficiency" / "error_bands.yaml"
    if not path.is_file():
        return {}
    file = load(BandsFile, path)
    return {
        (line.work, line.device_class): ErrorBand(
            median=line.median, most=line.most, rows=line.rows, publications=line.publications
        )
        for line in file.bands
    }


def error_band(work: Work, device_class: str) -> ErrorBand | None:
    """Return the errors found for a kind of work on a class of device; None where none were measured."""
    return _bands().get((work, device_class))
