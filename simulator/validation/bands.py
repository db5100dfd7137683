"""Error bands: what a validation found, summed up by kind of work and class of device, as results quote it.

``rackcast validate --bands hardware_profiles/efficiency/error_bands.yaml`` writes the file that
:mod:`simulator.profiles.error_bands` reads.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from simulator.foundation.errors import InputError
from simulator.profiles.catalogue import Catalogue
from simulator.profiles.efficiency import efficiency_of
from simulator.profiles.error_bands import ErrorBand
from simulator.validation.score import MEMORY, Scored, headline
from simulator.validation.tables import Measurement

Bands = Mapping[tuple[str, str], ErrorBand]

#: what a line of the file counts as one kind of work: by table, then by the first word of ``kind_of_work``
_TRAINING: Final = {"llm": "train", "encoder": "train-encoder", "encdec": "train-encoder"}
_NETWORKS: Final = "train-network"
_HEADER: Final = """\
# Errors of predicted times by kind of work and class of device: the mean over publications of their median and 90th
# percentile on usable rows. Written by `rackcast validate --bands FILE` on the measurements that ship; a test holds it.
"""


def work_of(row: Measurement) -> str | None:
    """Return the kind of work whose band a row belongs to; None for fabrics and storage."""
    first = row.text("kind_of_work").partition("-")[0]
    if row.kind == "training":
        return _TRAINING.get(first, _NETWORKS)
    if row.kind == "inference":
        return "serve" if first == "llm" else "predict"
    return None


def class_of(row: Measurement, catalogue: Catalogue) -> str | None:
    """Return the efficiency class of a row's device; None where the catalogue cannot tell."""
    try:
        return efficiency_of(catalogue.devices[row.text("device_id")]).name
    except InputError:
        return None


def bands_of(scored: Iterable[Scored], catalogue: Catalogue) -> Bands:
    """Return the errors of each kind of work on each class of device, over usable rows, memory apart."""
    held: defaultdict[tuple[str, str], list[Scored]] = defaultdict(list)
    for one in scored:
        if one.row.usable != "yes" or one.error is None or one.row.text("metric") == MEMORY:
            continue
        work, device_class = work_of(one.row), class_of(one.row, catalogue)
        if work is not None and device_class is not None:
            held[work, device_class].append(one)
    return {key: _band(held[key]) for key in sorted(held)}


def _band(rows: list[Scored]) -> ErrorBand:
    errors = headline(rows)
    assert errors.median_ape is not None
    assert errors.p90_ape is not None
    return ErrorBand(
        median=errors.median_ape,
        most=errors.p90_ape,
        rows=len(rows),
        publications=len({one.row.text("source_group") for one in rows}),
    )


def bands_text(bands: Bands) -> str:
    """Return the file's text."""
    lines = [
        f"  - {{work: {work}, device_class: {name}, median: {band.median:.3f}, most: {band.most:.3f}, "
        f"rows: {band.rows}, publications: {band.publications}}}\n"
        for (work, name), band in bands.items()
    ]
    source = "rackcast validate over the shipped measurements, most of which the constants were fitted on"
    return f'{_HEADER}source: "{source}"\nbands:\n{"".join(lines)}'
