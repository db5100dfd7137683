"""An answer as one page for people who decide: what to take and why on the first screen, everything else below."""

from __future__ import annotations

from simulator.planner.capacity.capacity_plan import CapacityPlan
from simulator.planner.decide import Answer
from simulator.planner.pages.capacity import capacity_report
from simulator.planner.pages.cluster import cluster_report
from simulator.planner.pages.layout import layout_report
from simulator.planner.pages.mix import mix_report
from simulator.planner.pages.placement import placement_report
from simulator.planner.pages.pool import pool_report
from simulator.planner.pages.scaling import scaling_report
from simulator.planner.pages.service import service_report
from simulator.planner.placing.placement_plan import PlacementPlan
from simulator.planner.recommendation import Recommendation
from simulator.planner.serving.scaling_plan import ScalingPlan
from simulator.planner.serving.service_mix import FleetMix
from simulator.planner.serving.service_plan import ServicePlan
from simulator.planner.serving.service_pool import ServicePool
from simulator.results.report import page

__all__ = ["html_of"]


def html_of(found: Answer) -> str:
    """Return the page of an answer: self-contained HTML, the same bytes for the same answer."""
    if isinstance(found, Recommendation):
        return page(layout_report(found))
    if isinstance(found, ServicePlan):
        return page(service_report(found))
    if isinstance(found, FleetMix):
        return page(mix_report(found))
    if isinstance(found, ScalingPlan):
        return page(scaling_report(found))
    if isinstance(found, ServicePool):
        return page(pool_report(found))
    if isinstance(found, PlacementPlan):
        return page(placement_report(found))
    if isinstance(found, CapacityPlan):
        return page(capacity_report(found))
    return page(cluster_report(found))
