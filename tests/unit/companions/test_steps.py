"""The steps that remember, test, ask and hand over; and that any flow that is taken comes to rest in every turn."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leitstand.companions.flow import parse_flow
from leitstand.companions.inputs import checked, fields_of, from_form
from leitstand.companions.memory import number_of
from leitstand.companions.runner import Answer, Reply, Source, State, advance, begin, replay, transcript
from leitstand.companions.steps import CLOSING, WAITING, Input
from leitstand.errors import Conflict, InvalidInput

ID = "0190a1b2-0000-7000-8000-000000000001"
REPLY = Reply(True, "Eleven hours. [1]", (Source(1, "Lanterns", 1, "Eleven hours."),))
SHAPE = {"schema": {"type": "object", "properties": {"people": {"type": "integer", "minimum": 1}, "tea": {"type": "boolean"}}, "required": ["people"]}}  # fmt: skip


def whole() -> dict[str, Any]:
    """A flow with every kind of step."""
    return {
        "title": "Everything",
        "steps": [
            {"kind": "set", "name": "zero", "variable": "rounds", "value": "0", "next": "party"},
            {"kind": "input", "name": "party", "text": "Who comes?", "control": ID, "shape": SHAPE, "next": "count"},
            {"kind": "set", "name": "count", "variable": "rounds", "operation": "add", "value": "1", "next": "large"},
            {
                "kind": "condition",
                "name": "large",
                "branches": [{"variable": "party.people", "operator": "more", "value": "6", "next": "person"}],
                "next": "told",
            },
            {"kind": "message", "name": "told", "text": "Round {{rounds}}: {{party.people}}, {{nothing}}.", "next": "ask"},
            {"kind": "ask", "name": "ask", "text": "Any question?", "space": ID, "next": "bye", "unanswered": "party"},
            {"kind": "handover", "name": "person", "text": "Somebody calls you.", "person": ID},
            {"kind": "end", "name": "bye", "text": "Bye."},
        ],
    }  # fmt: skip


def test_a_control_is_asked_tested_and_shown() -> None:
    flow = parse_flow(whole())
    state = advance(flow, begin(flow), '{"people": 2}')
    assert state.step == "ask"
    assert "Round 1: 2, {{nothing}}." in [line.text for line in transcript(flow, state)]
    assert advance(flow, begin(flow), '{"people": 7}').step == "person"
    assert "person" in flow.ends and flow.funnel == ["party", "ask", "person", "bye"]


@pytest.mark.parametrize(
    "answer", ["", "{", '{"people": 0}', '{"people": "two"}', "NaN", '{"people": NaN}', "[]"]
)
def test_a_value_that_does_not_fit_its_control_is_refused(answer: str) -> None:
    with pytest.raises(InvalidInput):
        advance(parse_flow(whole()), State("party"), answer)


def test_a_space_is_asked_once_and_its_answer_kept() -> None:
    flow = parse_flow(whole())
    at = advance(flow, begin(flow), '{"people": 2}')
    found = advance(flow, at, "How long?", lambda _space, _question: REPLY)
    assert found.step == "bye"
    assert found.answers[-1] == Answer("ask", "How long?", REPLY)
    assert [line.reply for line in transcript(flow, found) if line.reply] == [REPLY]
    assert replay(flow, found.answers) == found
    again = advance(flow, at, "Why?")
    assert again.step == "party"
    assert advance(flow, again, '{"people": 3}').step == "ask"
    with pytest.raises(Conflict):
        advance(flow, found, "more")


def test_a_form_becomes_the_value_of_its_control() -> None:
    step = parse_flow(whole()).step("party")
    assert isinstance(step, Input)
    value = from_form(step, {"value.people": ["4"], "value.tea": ["yes"]})
    assert json.loads(value) == {"people": 4, "tea": True}
    assert json.loads(from_form(step, {"value.people": ["four"]}))["people"] == "four"


def asked(**schema: Any) -> Input:
    return Input(kind="input", name="n", text="?", control=ID, next="x", shape={"schema": schema})


@pytest.mark.parametrize(
    "answer",
    ['"\\ud800"', '{"\\udfff": 1}', '"\\u0000"', "1e400", "[-1e400]", "9" * 400, "9" * 5_000, "[[%s], [%s]]" % (("[" * 500 + "]" * 500,) * 2)],
)  # fmt: skip
@pytest.mark.parametrize("schema", [{"multipleOf": 0.1}, {"uniqueItems": True}, {"enum": [[[[1]]]]}])
def test_what_can_not_be_kept_or_checked_is_refused(answer: str, schema: dict[str, Any]) -> None:
    step = asked(**schema)
    try:
        kept = checked(step, answer)
    except InvalidInput:
        return
    assert kept == answer == "9" * 400 and "uniqueItems" in schema


@pytest.mark.parametrize("kind", ["number", "integer", "array", "object", "null"])
@pytest.mark.parametrize(
    "typed", ["\\u0000", "1e400", "NaN", "null", "1,000.00", "1.000,00", "9" * 5_000, "[" * 2_000, '";x="']
)
def test_what_is_no_number_and_no_json_stays_as_it_was_typed(kind: str, typed: str) -> None:
    step = asked(type=kind)
    given = from_form(step, {"value": [typed]})
    assert [field.text for field in fields_of(step, given)] == [typed]
    with pytest.raises(InvalidInput):
        checked(step, given)


def test_a_backslash_is_a_letter_of_a_text() -> None:
    step = asked(type="string")
    given = from_form(step, {"value": ["C:\\u0000"]})
    assert json.loads(checked(step, given)) == "C:\\u0000"


def test_letters_of_two_bytes_are_counted_as_two_bytes() -> None:
    step = asked(type="string")
    assert json.loads(checked(step, json.dumps("ж" * 1_900))) == "ж" * 1_900
    with pytest.raises(InvalidInput):
        checked(step, json.dumps("ж" * 2_000))


def test_the_point_of_a_number_may_be_a_comma_and_an_integer_has_none() -> None:
    assert from_form(asked(type="number"), {"value": ["2,5"]}) == "2.5"
    assert from_form(asked(type="integer"), {"value": ["1,000"]}) == '"1,000"'


@pytest.mark.parametrize(
    ("change", "name", "problem"),
    [
        ({"branches": [{"variable": "ghost", "operator": "filled", "next": "told"}]}, "large", "'ghost'"),
        ({"branches": [{"variable": "party", "operator": "eval", "next": "told"}]}, "large", "operator"),
        ({"branches": []}, "large", "branches"),
        ({"next": "nowhere"}, "large", "'nowhere'"),
        ({"group": ID}, "person", "either"),
        ({"space": "the handbook"}, "ask", "space"),
        ({"shape": {"schema": {"$ref": "http://elsewhere"}}}, "party", "$ref"),
        ({"next": "count"}, "count", "nothing to answer between"),
    ],
)
def test_faults_name_step_and_field(change: dict[str, Any], name: str, problem: str) -> None:
    document = whole()
    next(step for step in document["steps"] if step["name"] == name).update(change)
    with pytest.raises(InvalidInput) as caught:
        parse_flow(document)
    faults: Any = caught.value.details["errors"]
    assert any(fault["step"] == name and problem in fault["problem"] for fault in faults)


def test_numbers_have_a_largest_size() -> None:
    assert number_of("1e999999") is None and number_of("9" * 16) is None
    assert str(number_of(" 2,5 ")) == "2.5"


NAMES = [f"s{number}" for number in range(7)]
target = st.sampled_from(NAMES)
VALUES = st.sampled_from(["1", "yes", "{{s0}}", "{{x}}{{x}}", ""])
bodies = st.one_of(
    st.fixed_dictionaries({"kind": st.just("message"), "text": st.just("{{x}}"), "next": target}),
    st.fixed_dictionaries({"kind": st.just("question"), "text": st.just("?"), "next": target}),
    st.fixed_dictionaries({"kind": st.just("set"), "variable": st.just("x"), "value": VALUES, "operation": st.sampled_from(["put", "add"]), "next": target}),
    st.fixed_dictionaries({"kind": st.just("condition"), "branches": st.lists(st.fixed_dictionaries({"variable": st.sampled_from(["x", "s0"]), "operator": st.sampled_from(["equals", "differs", "contains", "empty", "more"]), "value": VALUES, "next": target}), min_size=1, max_size=2), "next": target}),
    st.fixed_dictionaries({"kind": st.just("ask"), "text": st.just("?"), "space": st.just(ID), "next": target, "unanswered": target}),
    st.fixed_dictionaries({"kind": st.just("end"), "text": st.just(".")}),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    steps=st.lists(bodies, min_size=7, max_size=7),
    said=st.lists(st.sampled_from(["1", "yes", "z"]), max_size=8),
)
def test_any_flow_that_is_taken_waits_or_ends_in_every_turn(
    steps: list[dict[str, Any]], said: list[str]
) -> None:
    document = {
        "title": "Any",
        "steps": [step | {"name": name} for name, step in zip(NAMES, steps, strict=True)],
    }
    reached = {NAMES[0]}
    for _ in NAMES:  # what is never reached is left out, so that most flows are taken
        for step in document["steps"]:
            if step["name"] in reached:  # type: ignore[index]
                reached |= {v for k, v in step.items() if k in ("next", "unanswered")}  # type: ignore[attr-defined]
                reached |= {b["next"] for b in step.get("branches", [])}  # type: ignore[attr-defined]
    document["steps"] = [step for step in document["steps"] if step["name"] in reached]  # type: ignore[index]
    try:
        flow = parse_flow(document)
    except InvalidInput:
        return
    state = begin(flow)
    for words in said:
        assert flow.step(state.step).kind in WAITING + CLOSING
        if flow.step(state.step).kind in CLOSING:
            break
        before = state.step
        state = advance(flow, state, words)
        assert state.step in flow.rests_after(before)
        assert replay(flow, state.answers) == state
