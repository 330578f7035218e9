"""The flow runner: a pure function from a state and an answer to the next state."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from leitstand.companions.flow import CONTROLS, MAX_ANSWER, Choice, End, Flow, Message, Question
from leitstand.errors import Conflict, InvalidInput

# A loop may be walked again and again; one run of this many answers is no longer a conversation.
MAX_ANSWERS = 500


@dataclass(frozen=True)
class Answer:
    """What was answered at a step: the words of a question, the value of a choice."""

    step: str
    answer: str


@dataclass(frozen=True)
class State:
    """Where a run stands.

    Args:
        step: the step that waits for an answer, or the end that was reached.
        answers: what was answered, in order.
    """

    step: str
    answers: tuple[Answer, ...] = ()

    @property
    def revision(self) -> int:
        """How many transitions led here."""
        return len(self.answers)


def begin(flow: Flow) -> State:
    """The state of a run that was only just loaded."""
    return State(_settle(flow, flow.first))


def advance(flow: Flow, state: State, answer: str) -> State:
    """The state after `answer` was given where `state` stands.

    Raises:
        InvalidInput: the step does not take this answer; the state is unchanged.
        Conflict: the run has ended, or is longer than a run may be.
    """
    if state.revision >= MAX_ANSWERS:
        raise Conflict(f"A run may have at most {MAX_ANSWERS} answers.", hint="Start again.")
    match flow.step(state.step):
        case Choice() as step:
            taken, following = _choose(step, answer)
        case Question() as step:
            taken, following = _words(step, answer), step.next
        case _:
            raise Conflict("This run has ended.", hint="Start again to answer once more.")
    return replace(state, step=_settle(flow, following), answers=(*state.answers, Answer(state.step, taken)))


def replay(flow: Flow, answers: Sequence[Answer]) -> State:
    """The state that these answers led to.

    Raises:
        InvalidInput: the flow does not take them.
    """
    state = begin(flow)
    for answer in answers:
        if answer.step != state.step:
            raise InvalidInput(
                f"The answer to {answer.step!r} does not belong here, the run stood at {state.step!r}."
            )
        state = advance(flow, state, answer.answer)
    return state


@dataclass(frozen=True)
class Shown:
    """One line of the conversation: who said it, and the text; `step` is where it belongs."""

    who: str
    step: str
    text: str


def transcript(flow: Flow, state: State) -> Iterator[Shown]:
    """Everything said so far, in order, up to and with the step where the run stands."""
    at = flow.first
    for answer in state.answers:
        yield from _spoken(flow, at, answer.step)
        step = flow.step(answer.step)
        option = step.option(answer.answer) if isinstance(step, Choice) else None
        yield Shown("visitor", answer.step, option.shown if option else answer.answer)
        at = _following(step, option)
    yield from _spoken(flow, at, state.step)


def _spoken(flow: Flow, begin_at: str, until: str) -> Iterator[Shown]:
    """The messages from one step on, and the text of the step that they lead to."""
    at = begin_at
    while at != until:
        step = flow.step(at)
        yield Shown("companion", step.name, step.text)
        at = step.exits()[0]
    yield Shown("companion", until, flow.step(until).text)


def _following(step: Message | Question | Choice | End, option: object) -> str:
    if isinstance(step, Choice):
        return getattr(option, "next", None) or step.next or ""
    return step.exits()[0]


def _settle(flow: Flow, name: str) -> str:
    """Walk over messages to the next step where a run can rest."""
    step = flow.step(name)
    while isinstance(step, Message):
        step = flow.step(step.next)
    return step.name


def _choose(step: Choice, answer: str) -> tuple[str, str]:
    option = step.option(answer)
    if option is None:
        raise InvalidInput("Please choose one of the options.", details={"step": step.name})
    return option.value, option.next or step.next or ""


def _words(step: Question, answer: str) -> str:
    words = clean(answer)
    if step.required and not words:
        raise InvalidInput("Please write an answer.", details={"step": step.name})
    if len(words) > min(step.max_length, MAX_ANSWER):
        message = f"Please use at most {step.max_length} characters; these are {len(words)}."
        raise InvalidInput(message, details={"step": step.name})
    return words


def clean(answer: str) -> str:
    """A visitor's words as they are kept: composed (NFC), one kind of line end, nothing that can't be stored."""
    composed = unicodedata.normalize("NFC", answer.replace("\r\n", "\n").replace("\r", "\n"))
    return re.sub(r"[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", CONTROLS.sub("", composed)).strip()
