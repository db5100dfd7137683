"""Which replicas behave alike."""

from __future__ import annotations

from simulator.mapping.plan import Plan
from simulator.mapping.unfolding import HEALTHY, Condition, replica_classes, seat_of

SLOW = Condition(speed=0.5)


def test_without_marks_all_replicas_are_one_class():
    (one,) = replica_classes(Plan(dp=4096, pp=4), {})
    assert (one.count, one.first, one.conditions) == (4096, 0, (HEALTHY,) * 4)


def test_a_marked_device_unfolds_its_replica_and_only_its_stage():
    plan = Plan(tp=2, dp=3, pp=2)
    assert seat_of(plan, 8) == (1, 1)
    rest, marked = replica_classes(plan, {8: SLOW})
    assert (rest.count, rest.first) == (2, 0)
    assert (marked.count, marked.first, marked.conditions) == (1, 1, (HEALTHY, SLOW))


def test_replicas_with_the_same_marks_stay_folded():
    classes = replica_classes(Plan(dp=8, pp=1), {1: SLOW, 5: SLOW, 6: Condition(speed=0.9)})
    assert [one.count for one in classes] == [5, 2, 1]


def test_sharded_weights_and_shared_experts_make_others_wait_too():
    assert [one.count for one in replica_classes(Plan(dp=8, zero=3), {1: SLOW})] == [8]
    rest, marked = replica_classes(Plan(dp=8, ep=4), {5: SLOW})
    assert (rest.count, marked.count, marked.first) == (4, 4, 4)


def test_two_marks_on_one_stage_leave_the_worse_of_each():
    both = {0: Condition(speed=0.5, links=(("spine", 0.7),)), 1: Condition(speed=0.8, links=(("spine", 0.2),))}
    (one,) = replica_classes(Plan(tp=2), both)
    assert one.conditions == (Condition(speed=0.5, links=(("spine", 0.2),)),)
