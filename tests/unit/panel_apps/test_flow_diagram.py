"""The diagram of a flow: its graph, its layers, and what it says."""

import re
from xml.etree import ElementTree

import pandas as pd

from leitstand.companions.flow import Flow, parse_flow
from panel_apps.flow.diagram import layers, layout, svg
from panel_apps.flow.graph import Graph, Node, Way, graph, planned_ways

FLOW = {
    "title": "Gifts",
    "steps": [
        {"kind": "message", "name": "hello", "text": "Hello.", "next": "who"},
        {
            "kind": "choice", "name": "who", "text": "For whom?",
            "options": [{"value": "me", "next": "thanks"}, {"value": "you", "next": "what"}],
        },
        {"kind": "question", "name": "what", "text": "What?", "next": "thanks"},
        {"kind": "message", "name": "thanks", "text": "Thanks.", "next": "end"},
        {"kind": "end", "name": "end", "text": "Bye."},
    ],
}  # fmt: skip


def figures(**reached: tuple[int, int]) -> pd.DataFrame:
    return pd.DataFrame(
        [{"step": name, "reached": all_, "dropped": lost} for name, (all_, lost) in reached.items()]
    )


def times(**known: tuple[float, float | None]) -> pd.DataFrame:
    rows = [
        {"step": name, "place": place, "went_on": 3, "median": median}
        for name, (place, median) in known.items()
    ]
    return pd.DataFrame(rows, columns=["step", "place", "went_on", "median"])


def ways(*taken: tuple[str, str, int]) -> pd.DataFrame:
    return pd.DataFrame(taken, columns=["step", "next_step", "runs"])


def flow() -> Flow:
    return parse_flow(FLOW)


def test_messages_are_passed_through() -> None:
    assert planned_ways(flow()) == [("who", "end"), ("who", "what"), ("what", "end")]


def test_a_published_flow_gives_order_and_ways_also_where_no_run_went() -> None:
    counted = figures(who=(10, 2), what=(0, 0), end=(8, 8), old=(3, 1))
    found = graph(
        flow(), counted, times(who=(1.0, 30.0)), ways(("who", "end", 8), ("old", "who", 2)), ends=["end"]
    )
    assert [(node.name, node.kind) for node in found.nodes] == [
        ("who", "choice"), ("what", "question"), ("end", "end"), ("old", "seen"),
    ]  # fmt: skip
    assert Way("who", "end", 8) in found.ways
    assert Way("what", "end", 0) in found.ways
    assert Way("old", "who", 2) in found.ways
    assert (found.nodes[0].median, found.nodes[1].median) == (30.0, None)


def test_without_a_flow_steps_stand_as_runs_took_them_and_rare_ways_are_left_out() -> None:
    counted = figures(b=(1000, 10), a=(1000, 0), end=(990, 990))
    taken = ways(("a", "b", 1000), ("b", "end", 985), ("b", "a", 5))
    found = graph(None, counted, times(a=(1.0, 5.0), b=(2.0, 9.0), end=(3.0, None)), taken, ends=["end"])
    assert [(node.name, node.kind) for node in found.nodes] == [("a", "seen"), ("b", "seen"), ("end", "end")]
    assert (len(found.ways), found.left_out) == (2, 1)


def node(name: str, kind: str = "seen") -> Node:
    return Node(name, kind, 10, 1, None, 0)


def test_each_step_stands_below_those_that_lead_to_it_and_a_way_back_moves_nothing() -> None:
    made = Graph(
        tuple(node(name) for name in "abcd"),
        (Way("a", "b", 1), Way("a", "c", 1), Way("b", "d", 1), Way("c", "d", 1), Way("d", "a", 1)),
    )
    assert layers(made) == [["a"], ["b", "c"], ["d"]]
    found = layout(made)
    places = list(found.places.values())
    assert len({(place.x, place.y) for place in places}) == 4
    assert all(0 <= place.x < found.width and 0 <= place.y < found.height for place in places)
    assert layers(Graph((), ())) == []


def test_every_step_is_a_link_that_says_its_figures_and_names_are_text() -> None:
    hostile = '<script>"&'
    made = Graph(
        (Node(hostile, "question", 1234, 34, 61.0, 1200), node("end", "end")), (Way(hostile, "end", 1200),)
    )
    html = svg(made, chosen=hostile, title="Diagram")
    assert "<script" not in html
    drawn = ElementTree.fromstring(html)
    links = drawn.findall(".//a")
    assert len(links) == 2
    said = links[0].get("aria-label") or ""
    assert "1,234 runs reached it, 34 (2.8%) no later step, half of 1,200 went on within 1 min 1 s" in said
    assert links[0].get("aria-current") == "true"
    assert links[0].get("data-choose") == "step=%3Cscript%3E%22%26&page=1"
    assert re.search(r"1,200 runs went from .* to end", html)
