"""Flows are checked whole, and every refusal names the step and how to mend it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.companions.flow import parse_flow
from leitstand.errors import InvalidInput
from tests.unit.companions.flows import booking, booking_flow

Document = dict[str, Any]


def step(document: Document, name: str) -> Document:
    return next(step for step in document["steps"] if step["name"] == name)


def test_a_flow_is_read_from_values_text_and_bytes_alike() -> None:
    document = booking()
    text = json.dumps(document)
    assert parse_flow(document) == parse_flow(text) == parse_flow(text.encode())


def test_a_flow_survives_being_kept_as_json() -> None:
    flow = booking_flow()
    assert flow.document() == booking()
    assert parse_flow(flow.document()) == flow


def test_the_funnel_is_what_waits_and_then_the_ends() -> None:
    flow = booking_flow()
    assert flow.first == "hello"
    assert flow.funnel == ["topic", "day", "words", "more", "bye"]
    assert flow.ends == ["bye"]


def drop(document: Document, name: str) -> None:
    document["steps"].remove(step(document, name))


FAULTS: list[tuple[str, Callable[[Document], object], str, str, str]] = [
    ("unknown next", lambda d: step(d, "day").update(next="nowhere"), "day", "'nowhere'", "Existing steps"),
    ("unknown start", lambda d: d.update(start="nowhere"), "", "'nowhere'", "Existing steps"),
    (
        "doubled name",
        lambda d: d["steps"].append({"name": "bye", "kind": "end", "text": "x"}),
        "bye",
        "2 times",
        "name of its own",
    ),
    (
        "never reached",
        lambda d: d["steps"].append({"name": "lost", "kind": "end", "text": "x"}),
        "lost",
        "never reached",
        "lead to it",
    ),
    ("no way on", lambda d: step(d, "topic").pop("next"), "topic", "leads nowhere", "'next'"),
    (
        "doubled option",
        lambda d: step(d, "more")["options"].append({"value": "no", "next": "bye"}),
        "more",
        "'no'",
        "value of its own",
    ),
    ("unknown kind", lambda d: step(d, "day").update(kind="riddle"), "day", "no known kind", "question"),
    ("no kind", lambda d: step(d, "day").pop("kind"), "day", "lacks 'kind'", "message, question"),
    ("missing text", lambda d: step(d, "day").pop("text"), "day", "lacks 'text'", "Add"),
    ("misspelt member", lambda d: step(d, "day").update(nxet="bye"), "day", "'nxet'", "spelling"),
    ("wrong type", lambda d: step(d, "day").update(text=7), "day", "'text'", "Correct"),
    ("empty option list", lambda d: step(d, "more").update(options=[]), "more", "'options'", "Correct"),
    (
        "unnamed step",
        lambda d: d["steps"].append({"kind": "end", "text": "x"}),
        "number 8",
        "lacks 'name'",
        "Add",
    ),
    ("no title", lambda d: d.pop("title"), "", "lacks 'title'", "Add"),
    ("no steps", lambda d: d.update(steps=[]), "", "'steps'", "Correct"),
    ("steps of another type", lambda d: d.update(steps={"a": 1}), "", "'steps'", "Correct"),
    ("NUL in a text", lambda d: step(d, "bye").update(text="a\0b"), "bye", "'text'", "Correct"),
    ("line end in a name", lambda d: step(d, "bye").update(name="by\ne"), "by\ne", "'name'", "Correct"),
]


@pytest.mark.parametrize(
    ("change", "name", "problem", "mend"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS]
)
def test_a_fault_is_named_with_its_step_and_the_way_out(
    change: Callable[[Document], object], name: str, problem: str, mend: str
) -> None:
    document = booking()
    change(document)
    with pytest.raises(InvalidInput) as caught:
        parse_flow(document)
    first = caught.value.details["errors"][0]  # type: ignore[index]
    assert first["step"] == name
    assert problem in first["problem"]
    assert mend in caught.value.hint
    assert (repr(name) if name else "it ") in caught.value.message


def test_a_loop_of_messages_is_refused() -> None:
    document = {
        "title": "Spin",
        "steps": [
            {"name": "a", "kind": "choice", "text": "?", "options": [{"value": "1", "next": "b"}, {"value": "2", "next": "z"}]},
            {"name": "b", "kind": "message", "text": "b", "next": "c"},
            {"name": "c", "kind": "message", "text": "c", "next": "b"},
            {"name": "z", "kind": "end", "text": "z"},
        ],
    }  # fmt: skip
    with pytest.raises(InvalidInput) as caught:
        parse_flow(document)
    problems = {(fault["step"], fault["problem"]) for fault in caught.value.details["errors"]}  # type: ignore[attr-defined]
    assert ("b", "leads back to itself with nothing to answer between") in problems
    assert ("c", "can never come to an end") in problems


def test_a_loop_with_a_question_but_without_an_end_is_refused() -> None:
    document = {
        "title": "Trap",
        "steps": [
            {"name": "a", "kind": "question", "text": "?", "next": "b"},
            {"name": "b", "kind": "question", "text": "?", "next": "a"},
        ],
    }
    with pytest.raises(InvalidInput, match="can never come to an end"):
        parse_flow(document)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "7", '"x"', b"\xff\xfe", "[" * 100_000, '{"title":"a","steps":' + "9" * 5000 + "}", '{"title": NaN}'],
    ids=["empty", "open", "list", "null", "number", "string", "not utf-8", "nested", "huge number", "nan"],
)  # fmt: skip
def test_broken_json_is_refused_politely(text: str | bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_flow(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "kind", "text", "next", "options", "value", "steps", "title"]), inner, max_size=6),
    max_leaves=20,
)  # fmt: skip


@given(steps=st.lists(json_values, max_size=5), title=json_values)
def test_whatever_is_sent_is_a_flow_or_invalid_input(steps: list[Any], title: Any) -> None:
    try:
        flow = parse_flow({"title": title, "steps": steps})
    except InvalidInput as error:
        assert error.hint
    else:
        assert flow.steps
