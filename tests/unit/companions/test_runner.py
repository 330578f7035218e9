"""The runner: every answer leads one step on, along the flow's ways and no others."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from leitstand.companions.flow import Choice, Question, parse_flow
from leitstand.companions.runner import MAX_ANSWERS, Answer, State, advance, begin, clean, replay, transcript
from leitstand.errors import Conflict, InvalidInput
from tests.unit.companions.flows import booking_flow


def walk(*answers: str) -> State:
    flow = booking_flow()
    state = begin(flow)
    for answer in answers:
        state = advance(flow, state, answer)
    return state


def test_a_run_begins_at_the_first_step_that_waits() -> None:
    assert begin(booking_flow()) == State("topic")


def test_a_branch_follows_its_option_and_messages_are_walked_over() -> None:
    assert walk("visit").step == "day"
    assert walk("other").step == "words"
    assert walk("nothing").step == "bye"
    assert walk("visit", "Monday").step == "more"


def test_a_loop_keeps_every_answer() -> None:
    state = walk("visit", "Monday", "yes", "visit", "Tuesday", "no")
    assert state.step == "bye"
    assert [answer.answer for answer in state.answers if answer.step == "day"] == ["Monday", "Tuesday"]
    assert state.revision == 6


def test_what_was_said_is_shown_in_order() -> None:
    flow = booking_flow()
    lines = [(line.who, line.text) for line in transcript(flow, walk("visit", "Monday"))]
    assert lines == [
        ("companion", "Hello!"),
        ("companion", "What is it about?"),
        ("visitor", "A visit"),
        ("companion", "Which day?"),
        ("visitor", "Monday"),
        ("companion", "Noted."),
        ("companion", "Anything else?"),
    ]


@pytest.mark.parametrize("answer", ["", "A visit", "visit ", "day", "\0", "x" * 100_000])
def test_only_the_options_answer_a_choice(answer: str) -> None:
    with pytest.raises(InvalidInput):
        walk(answer)


@pytest.mark.parametrize("answer", ["", "   ", "\n\t ", "\0\x07", "x" * 21])
def test_a_question_wants_words_within_its_length(answer: str) -> None:
    with pytest.raises(InvalidInput):
        walk("visit", answer)


def test_an_optional_question_may_stay_empty() -> None:
    assert walk("other", "  ").answers[-1] == Answer("words", "")


def test_answers_are_kept_clean() -> None:
    assert clean(" a\0b\r\nc\rd\x1b ") == "ab\nc\nd"
    assert clean("e\u0301\ud800") == "\u00e9\ufffd"


def test_nothing_follows_an_end() -> None:
    with pytest.raises(Conflict):
        walk("nothing", "more")


def test_a_run_has_a_longest_length() -> None:
    flow = booking_flow()
    answers = (Answer("topic", "other"), Answer("words", ""), Answer("more", "yes"))
    state = State("topic", (answers * MAX_ANSWERS)[: MAX_ANSWERS - MAX_ANSWERS % 3])
    state = advance(flow, advance(flow, state, "other"), "x")
    with pytest.raises(Conflict, match=str(MAX_ANSWERS)):
        advance(flow, state, "yes")


def test_answers_that_do_not_belong_are_not_replayed() -> None:
    with pytest.raises(InvalidInput, match="does not belong"):
        replay(booking_flow(), [Answer("more", "yes")])


def test_five_hundred_steps_in_a_row_are_walked_over() -> None:
    steps = [{"name": f"m{n}", "kind": "message", "text": "x", "next": f"m{n + 1}"} for n in range(498)]
    steps += [
        {"name": "m498", "kind": "question", "text": "?", "next": "z"},
        {"name": "z", "kind": "end", "text": "z"},
    ]
    flow = parse_flow({"title": "Long", "steps": steps})
    assert begin(flow).step == "m498"
    assert len(list(transcript(flow, begin(flow)))) == 499


class Walk(RuleBasedStateMachine):
    """A visitor who answers well and badly, in any order, for as long as they like."""

    def __init__(self) -> None:
        super().__init__()
        self.flow = booking_flow()
        self.state = begin(self.flow)
        self.expected = 0

    @precondition(lambda self: isinstance(self.flow.step(self.state.step), Choice))
    @rule(number=st.integers(0, 9))
    def choose(self, number: int) -> None:
        step = self.flow.step(self.state.step)
        assert isinstance(step, Choice)
        option = step.options[number % len(step.options)]
        before, self.state = self.state, advance(self.flow, self.state, option.value)
        self.expected += 1
        assert self.state.answers[:-1] == before.answers
        assert self.state.answers[-1] == Answer(before.step, option.value)

    @precondition(lambda self: isinstance(self.flow.step(self.state.step), Question))
    @rule(words=st.text(max_size=30))
    def write(self, words: str) -> None:
        step = self.flow.step(self.state.step)
        assert isinstance(step, Question)
        fits = len(clean(words)) <= step.max_length and (clean(words) != "" or not step.required)
        before = self.state
        try:
            self.state = advance(self.flow, self.state, words)
        except InvalidInput:
            assert not fits
            assert self.state == before
        else:
            assert fits
            self.expected += 1

    @precondition(lambda self: self.flow.step(self.state.step).kind == "end")
    @rule(words=st.text(max_size=5))
    def go_on_after_the_end(self, words: str) -> None:
        with pytest.raises(Conflict):
            advance(self.flow, self.state, words)

    @invariant()
    def the_answers_alone_tell_where_the_run_stands(self) -> None:
        assert self.state.revision == self.expected
        assert replay(self.flow, self.state.answers) == self.state

    @invariant()
    def the_run_never_rests_on_a_message(self) -> None:
        assert self.flow.step(self.state.step).kind != "message"

    @invariant()
    def the_transcript_has_every_answer_and_ends_where_the_run_stands(self) -> None:
        lines = list(transcript(self.flow, self.state))
        assert sum(line.who == "visitor" for line in lines) == self.state.revision
        assert lines[-1].step == self.state.step


TestWalk = Walk.TestCase
TestWalk.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
