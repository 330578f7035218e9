"""The flow runner: a pure function from a state and an answer to the next state.

What a space answered is kept with the visitor's question, so that the same answers lead to the same place for ever.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from leitstand.catalogue.kinds.control_values import CONTROLS, words_of
from leitstand.catalogue.kinds.control_values import value_of as control_value
from leitstand.companions import inputs
from leitstand.companions.flow import MAX_ANSWER, MAX_STEPS, Flow
from leitstand.companions.memory import filled_in, holds, value_of
from leitstand.companions.steps import AnyStep, Ask, Choice, Condition, Input, Message, Question, Set
from leitstand.errors import Conflict, InvalidInput
from leitstand.knowledge.answers import EXTRACTIVE
from leitstand.words import msg

# A loop may be walked again and again; one run of this many answers is no longer a conversation.
MAX_ANSWERS = 500
# As many characters as leitstand.knowledge takes of a question.
MAX_ASKED = 2_000


@dataclass(frozen=True)
class Source:
    """A passage that an answer rests on."""

    number: int
    title: str
    passage: int
    quote: str


@dataclass(frozen=True)
class Reply:
    """What a space answered; `found` is false where nothing in it answers the question.

    Args:
        kind: how: `leitstand.knowledge.answers.MODEL` or `EXTRACTIVE`.
    """

    found: bool
    text: str = ""
    sources: tuple[Source, ...] = ()
    kind: str = EXTRACTIVE


Asker = Callable[[str, str], Reply]
NO_REPLY = Reply(found=False)


def nobody(_space: str, _question: str) -> Reply:
    """An asker that finds nothing."""
    return NO_REPLY


@dataclass(frozen=True)
class Answer:
    """What was answered at a step: words, an option's value, a control's value as JSON text; `reply` is a space's."""

    step: str
    answer: str
    reply: Reply | None = None


@dataclass(frozen=True)
class State:
    """Where a run stands.

    Args:
        step: the step that waits for an answer, or the one that closed the run.
        answers: what was answered, in order.
    """

    step: str
    answers: tuple[Answer, ...] = ()

    @property
    def revision(self) -> int:
        """How many transitions led here."""
        return len(self.answers)


@dataclass(frozen=True)
class Shown:
    """One line of the conversation: who said it, and the text; `step` is where it belongs, `reply` a space's answer."""

    who: str
    step: str
    text: str
    reply: Reply | None = None


def begin(flow: Flow) -> State:
    """The state of a run that was only just loaded."""
    return State(_Walk(flow).settled())


def advance(flow: Flow, state: State, answer: str, ask: Asker = nobody) -> State:
    """The state after `answer` was given where `state` stands.

    Args:
        ask: gives a space's answer to a question; called with the space's id at steps that ask one.

    Raises:
        InvalidInput: the step does not take this answer; the state is unchanged.
        Conflict: the run has ended, or is longer than a run may be.
    """
    if state.revision >= MAX_ANSWERS:
        raise Conflict(
            msg("A run may have at most {max_answers} answers.", max_answers=MAX_ANSWERS), hint="Start again."
        )
    taken = _taken(flow.step(state.step), answer, ask)
    walk = _Walk(flow, at=state.step)
    if flow.remembers:
        walk = _Walk(flow)
        walk.through(state.answers)
        walk.settled()
    walk.take(taken)
    return replace(state, step=walk.settled(), answers=(*state.answers, taken))


def question_of(flow: Flow, state: State, answer: str) -> tuple[str, str] | None:
    """The space and the question that `advance` asks it with this answer; None where it asks none, or takes it not."""
    step = flow.step(state.step)
    if not isinstance(step, Ask) or state.revision >= MAX_ANSWERS:
        return None
    try:
        return step.space, _asked(step, answer)
    except InvalidInput:
        return None


def replay(flow: Flow, answers: Sequence[Answer]) -> State:
    """The state that these answers led to; what spaces answered then is not asked again.

    Raises:
        InvalidInput: the flow does not take them.
    """
    state = begin(flow)
    for answer in answers:
        if answer.step != state.step:
            raise InvalidInput(
                msg(
                    "The answer to {answered!r} does not belong here, the run stood at {step!r}.",
                    answered=answer.step,
                    step=state.step,
                )
            )
        state = advance(flow, state, answer.answer, lambda _space, _question, kept=answer: kept.reply or NO_REPLY)  # type: ignore[misc]  # fmt: skip
    return state


def transcript(flow: Flow, state: State) -> Iterator[Shown]:
    """Everything said so far, in order, up to and with the step where the run stands."""
    walk = _Walk(flow)
    walk.through(state.answers)
    walk.settled()
    walk.say(walk.at)
    yield from walk.said


def normal(step: AnyStep, answer: str) -> str:
    """An answer as it would be kept, where the step takes it; else as it was given."""
    try:
        return _taken(step, answer, nobody).answer
    except (InvalidInput, Conflict):
        return answer


class _Walk:
    """A passage through a flow: where it stands, what it remembers, what was said."""

    def __init__(self, flow: Flow, at: str = "") -> None:
        self.flow, self.at = flow, at or flow.first
        self.values: dict[str, str] = {}
        self.said: list[Shown] = []

    def settled(self) -> str:
        """Go on to the next step where a run can rest; no more steps than a flow may have are passed in one turn."""
        for _ in range(MAX_STEPS):
            match self.flow.step(self.at):
                case Message() as step:
                    self.say(step.name)
                    self.at = step.next
                case Set() as step:
                    self.values[step.variable] = value_of(step, self.values, self.flow.variables)
                    self.at = step.next
                case Condition() as step:
                    branch = next((b for b in step.branches if holds(b, self.values)), None)
                    self.at = branch.next if branch else step.next
                case _:
                    return self.at
        raise Conflict(
            msg("More than {max_steps} steps follow each other with nothing to answer.", max_steps=MAX_STEPS),
            hint="Start again.",
        )

    def take(self, answer: Answer) -> None:
        """Answer the step where it stands."""
        step = self.flow.step(self.at)
        self.say(step.name)
        shown, self.at = self._after(step, answer)
        self.said.append(Shown("visitor", step.name, shown))
        if answer.reply is not None:
            self.said.append(Shown("companion", step.name, answer.reply.text, answer.reply))

    def through(self, answers: Sequence[Answer]) -> None:
        """Go the way of these answers."""
        for answer in answers:
            self.settled()
            self.take(answer)
        if answers:
            self.settled()

    def say(self, name: str) -> None:
        """Note what a step says."""
        text = filled_in(self.flow.step(name).text, self.values, self.flow.variables)
        self.said.append(Shown("companion", name, text))

    def _after(self, step: AnyStep, answer: Answer) -> tuple[str, str]:
        """What the visitor said at a step, remembered, and the step after it."""
        self.values[step.name] = answer.answer
        match step:
            case Choice():
                option = step.option(answer.answer)
                following = (option.next if option else None) or step.next or ""
                return (option.shown if option else answer.answer), following
            case Input():
                return self._given(step, answer.answer), step.next
            case Ask():
                found = answer.reply is not None and answer.reply.found
                return answer.answer, step.next if found else step.unanswered or step.next
        return answer.answer, step.exits()[0]

    def _given(self, step: Input, answer: str) -> str:
        value = control_value(answer)
        if isinstance(value, dict):
            self.values |= {f"{step.name}.{member}": words_of(one) for member, one in value.items()}
        self.values[step.name] = words_of(value)
        return self.values[step.name]


def _taken(step: AnyStep, answer: str, ask: Asker) -> Answer:
    match step:
        case Choice():
            option = step.option(answer)
            if option is None:
                raise InvalidInput("Please choose one of the options.", details={"step": step.name})
            return Answer(step.name, option.value)
        case Question():
            return Answer(step.name, _words(step.name, answer, most=step.max_length, required=step.required))
        case Input():
            return Answer(step.name, inputs.checked(step, answer))
        case Ask():
            words = _asked(step, answer)
            return Answer(step.name, words, ask(step.space, words))
    raise Conflict("This run has ended.", hint="Start again to answer once more.")


def _asked(step: Ask, answer: str) -> str:
    return _words(step.name, answer, most=MAX_ASKED, required=True)


def _words(step: str, answer: str, *, most: int, required: bool) -> str:
    words = clean(answer)
    if required and not words:
        raise InvalidInput("Please write an answer.", details={"step": step})
    if len(words) > min(most, MAX_ANSWER):
        raise InvalidInput(
            msg("Please use at most {most} characters; these are {count}.", most=most, count=len(words)),
            details={"step": step},
        )
    return words


def clean(answer: str) -> str:
    """A visitor's words as they are kept: composed (NFC), one kind of line end, nothing that can't be stored."""
    composed = unicodedata.normalize("NFC", answer.replace("\r\n", "\n").replace("\r", "\n"))
    return re.sub(r"[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", CONTROLS.sub("", composed)).strip()
