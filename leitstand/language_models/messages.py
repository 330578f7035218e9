"""What is said to models and what they answer, in words of our own: no server's form, and nothing that can't be kept."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

LETTERS_A_TOKEN = 4
LONGEST_NAME, LONGEST_ID = 64, 100
# What a text may not have in it: PostgreSQL keeps no NUL, and terminals obey the others.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
NO_NAME_PART = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True)
class Call:
    """A model wants a tool used; `arguments` is what it wrote, which need not be JSON."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Message:
    """One message of a conversation.

    Args:
        role: `system`, `user`, `assistant` or `tool`.
        calls: which tools the assistant wanted.
        call_id: which call a tool's message answers.
    """

    role: str
    text: str
    calls: tuple[Call, ...] = ()
    call_id: str = ""


@dataclass(frozen=True)
class Definition:
    """A tool as a model is told of it; `parameters` is the JSON Schema of its arguments."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Spent:
    """Tokens that a question took: as the endpoint counted them, or estimated where it told nothing."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            self.prompt_tokens + other.prompt_tokens, self.completion_tokens + other.completion_tokens
        )


@dataclass(frozen=True)
class Reply:
    """What a model answered.

    Args:
        prompt_tokens, completion_tokens: with those of answers to the same question that broke off.
        finish: why it ended, as the endpoint says it: `stop`, `tool_calls`, `length`, `content_filter`.
    """

    text: str
    calls: tuple[Call, ...]
    prompt_tokens: int
    completion_tokens: int
    finish: str


def clean(text: str) -> str:
    """A text without control characters and halves of characters."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return CONTROL.sub("", whole)


def fit_name(name: str) -> str:
    """A name of a tool that every server takes back; one that no tool has stays one that no tool has."""
    return NO_NAME_PART.sub("_", name)[:LONGEST_NAME] or "unnamed"


def estimated(*texts: str) -> int:
    """About how many tokens texts have, for endpoints that tell nothing."""
    return -(-sum(map(len, texts)) // LETTERS_A_TOKEN)


def estimated_prompt(messages: Iterable[Message]) -> int:
    """About how many tokens a question has."""
    written = [part for message in messages for part in (message.text, *_written(message.calls))]
    return estimated(*written)


def estimated_answer(text: str, calls: Iterable[Call]) -> int:
    """About how many tokens an answer has."""
    return estimated(text, *_written(calls))


def _written(calls: Iterable[Call]) -> list[str]:
    return [call.name + call.arguments for call in calls]
