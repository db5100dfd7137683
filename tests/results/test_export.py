from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.results.export import chrome_trace
from simulator.results.spans import Span, lanes_of


def span(lane, name, kind, start, end):
    return Span(lane=lane, name=name, kind=kind, start_s=start, end_s=end)


SPANS = [
    span("stage 1", "F0", "forward", 0.001, 0.003),
    span("stage 0", "B0", "backward", 0.003, 0.007),
    span("stage 1", "send", "communication", 0.003, 0.0031),
]


def test_a_trace_parses_back_to_the_spans_it_was_made_of():
    events = json.loads(chrome_trace(SPANS))["traceEvents"]
    names = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    found = [
        span(names[event["tid"]], event["name"], event["cat"], event["ts"] / 1e6, (event["ts"] + event["dur"]) / 1e6)
        for event in events
        if event["ph"] == "X"
    ]
    for back, given_ in zip(found, SPANS, strict=True):
        assert (back.lane, back.name, back.kind) == (given_.lane, given_.name, given_.kind)
        assert back.start_s == pytest.approx(given_.start_s)
        assert back.end_s == pytest.approx(given_.end_s)


def test_lanes_are_threads_in_the_order_of_appearance():
    assert lanes_of(SPANS) == ["stage 1", "stage 0"]
    events = json.loads(chrome_trace(SPANS, process="a step"))["traceEvents"]
    assert events[0] == {"ph": "M", "pid": 0, "name": "process_name", "args": {"name": "a step"}}
    order = {e["tid"]: e["args"]["sort_index"] for e in events if e["name"] == "thread_sort_index"}
    assert order == {0: 0, 1: 1}


def test_the_same_spans_give_the_same_bytes():
    assert chrome_trace(SPANS) == chrome_trace(list(SPANS))


def test_a_span_does_not_end_before_it_starts():
    with pytest.raises(AssertionError):
        span("a", "b", "forward", 2.0, 1.0)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.floats(0, 1e5), st.floats(0, 1e3), st.text(max_size=5)), max_size=8))
def test_any_names_and_times_make_valid_json(pieces):
    spans = [span(name, name, name, start, start + length) for start, length, name in pieces]
    events = [event for event in json.loads(chrome_trace(spans))["traceEvents"] if event["ph"] == "X"]
    assert [event["name"] for event in events] == [name for _, _, name in pieces]
    assert all(event["dur"] >= 0 for event in events)
