"""An answer as one page for people who decide: what to take and why on the first screen, everything else below."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import Final

from simulator.planner.decide import Answer
from simulator.planner.pages.capacity import capacity_report
from simulator.planner.pages.cluster import cluster_report
from simulator.planner.pages.layout import layout_report
from simulator.planner.pages.mix import mix_report
from simulator.planner.pages.placement import placement_report
from simulator.planner.pages.pool import pool_report
from simulator.planner.pages.scaling import scaling_report
from simulator.planner.pages.service import service_report
from simulator.results.report import Report, page

__all__ = ["html_of"]

_PAGES: Final[tuple[Callable[..., Report], ...]] = (
    capacity_report,
    cluster_report,
    layout_report,
    mix_report,
    placement_report,
    pool_report,
    scaling_report,
    service_report,
)


def html_of(found: Answer) -> str:
    """Return the page of an answer: self-contained HTML, the same bytes for the same answer."""
    return page(_report_of(found))


@singledispatch
def _report_of(found: Answer) -> Report:
    raise AssertionError(f"no page of {type(found).__name__}")


for _page in _PAGES:  # each for the kind of answer that it takes
    _ = _report_of.register(_page)
