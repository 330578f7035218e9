"""The answer of a model put together from the pieces in which it comes: server-sent events of OpenAI's form."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from leitstand.errors import TooLarge, Unavailable
from leitstand.language_models.messages import LONGEST_ID, Call, clean, fit_name
from leitstand.words import msg

DONE = "[DONE]"
MOST_CALLS = 32
# So often those who follow are told what has come so far.
TELL_SECONDS = 1.0
LONGEST_REASON = 300


def events(pieces: Iterable[bytes]) -> Iterator[str]:
    """The data of server-sent events, however their bytes are cut."""
    data: list[str] = []
    for line in _lines(pieces):
        if line.startswith(b"data:"):
            data.append(line[5:].decode("utf-8", "replace").removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []
    if data:
        yield "\n".join(data)


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Lines that end with LF or CR LF; the last one need not end."""
    left = b""
    for piece in pieces:
        *whole, left = (left + piece).split(b"\n")
        yield from (line.removesuffix(b"\r") for line in whole)
    if left:
        yield left


@dataclass
class _Begun:
    """A call whose pieces are still coming."""

    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class Answer:
    """An answer as far as it has come.

    Args:
        longest: letters of text and arguments that are taken.
        tell: told the text so far, about once a second.

    `taken`: the endpoint took the question, so that it is paid for however the answer ends.
    """

    def __init__(self, longest: int, tell: Callable[[str], None] | None = None) -> None:
        self.longest, self._tell = longest, tell
        self._parts: list[str] = []
        self._begun: dict[int, _Begun] = {}
        self._letters, self._told_at = 0, 0.0
        self.finish, self.taken = "", False
        self.usage: tuple[int, int] | None = None

    @property
    def text(self) -> str:
        """Its words so far."""
        return clean("".join(self._parts))

    @property
    def calls(self) -> tuple[Call, ...]:
        """The tools that it wants so far, each with an id of its own."""
        found: dict[str, Call] = {}
        for index in sorted(self._begun)[:MOST_CALLS]:
            begun = self._begun[index]
            call_id = clean(begun.id)[:LONGEST_ID] or f"call_{index + 1}"
            while call_id in found:
                call_id = f"{call_id[: LONGEST_ID - 1]}+"
            arguments = clean("".join(begun.arguments))
            found[call_id] = Call(call_id, fit_name(begun.name), arguments)
        return tuple(found.values())

    def read(self, pieces: Iterable[bytes]) -> None:
        """Take a whole stream.

        Raises:
            Unavailable: it breaks off, or is in another form.
            TooLarge: the answer is.
        """
        for data in events(pieces):
            if data.strip() == DONE:
                break
            self._take(_document(data), "delta")
        if not self.finish:
            raise Unavailable("The model's answer broke off.")

    def read_whole(self, body: bytes) -> None:
        """Take an answer that did not come as a stream, although one was asked for.

        Raises:
            as `read`.
        """
        self._take(_document(body.decode("utf-8", "replace")), "message")
        if not self.finish:
            raise Unavailable("The endpoint answers in a form that is not understood.")

    def _take(self, document: dict[str, Any], part: str) -> None:
        if document.get("error"):
            raise Unavailable(
                msg("The endpoint could not answer: {reason}", reason=reason_in(document) or "?")
            )
        usage = document.get("usage")
        if isinstance(usage, dict):
            self.usage = (_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")))
        choices = document.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            return
        said = choice.get(part)
        if isinstance(said, dict):
            self._take_text(said.get("content"))
            self._take_calls(said.get("tool_calls"))
        if isinstance(choice.get("finish_reason"), str):
            self.finish = clean(choice["finish_reason"])[:LONGEST_ID] or "stop"

    def _take_text(self, text: object) -> None:
        if not isinstance(text, str) or not text:
            return
        self._count(text)
        self._parts.append(text)
        if self._tell is not None and time.monotonic() - self._told_at >= TELL_SECONDS:
            self._tell(self.text)
            self._told_at = time.monotonic()

    def _take_calls(self, given: object) -> None:
        for position, piece in enumerate(given if isinstance(given, list) else []):
            if not isinstance(piece, dict):
                continue
            index = piece.get("index")
            self._take_call(index if isinstance(index, int) else position, piece)

    def _take_call(self, index: int, piece: dict[str, Any]) -> None:
        if index not in self._begun and len(self._begun) >= MOST_CALLS:
            return
        begun = self._begun.setdefault(index, _Begun())
        begun.id = begun.id or _text(piece.get("id"))
        function = piece.get("function")
        if isinstance(function, dict):
            begun.name = begun.name or _text(function.get("name"))
            arguments = _text(function.get("arguments"))
            self._count(arguments)
            begun.arguments.append(arguments)

    def _count(self, text: str) -> None:
        self._letters += len(text)
        if self._letters > self.longest:
            raise TooLarge(msg("The model's answer has more than {longest:,} letters.", longest=self.longest))


def reason_in(document: object) -> str:
    """What an endpoint says that is wrong, as far as a person can read it."""
    found = document.get("error") if isinstance(document, dict) else None
    said = found.get("message") if isinstance(found, dict) else found
    return " ".join(clean(said).split())[:LONGEST_REASON] if isinstance(said, str) else ""


def _document(data: str) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Unavailable("The endpoint answers in a form that is not understood.")
    return found


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _count(value: object) -> int:
    """A number of tokens that fits where it is kept."""
    return min(value, 10**9) if isinstance(value, int) and value > 0 else 0
