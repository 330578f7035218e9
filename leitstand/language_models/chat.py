"""One question to a model and its answer, asked again where it helps; everything is within one deadline."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from leitstand.errors import InvalidInput, LeitstandError, TooManyRequests, Unavailable
from leitstand.jobs.failures import wait_before_next
from leitstand.language_models.breaker import Resting, breaker
from leitstand.language_models.endpoints import Target
from leitstand.language_models.messages import (
    Call,
    Definition,
    Message,
    Reply,
    Spent,
    estimated_answer,
    estimated_prompt,
)
from leitstand.language_models.reading import Answer, reason_in
from leitstand.outgoing.connections import PULSE_SECONDS, Deadline
from leitstand.outgoing.fetching import Stream, streamed
from leitstand.words import msg

__all__ = ["Call", "Definition", "Message", "Reply", "Spent", "complete", "spent_on"]

ATTEMPTS = 6
FIRST_WAIT_SECONDS = 1.0
LONGEST_ASKED_WAIT = 60.0
# A letter of an answer comes in an event that is many times as long.
BYTES_A_LETTER, BYTES_BESIDE = 400, 1_000_000
REFUSED, UNREADABLE = frozenset({401, 403}), frozenset({400, 413, 422})
SPENT = "spent"


def complete(
    target: Target,
    messages: Sequence[Message],
    *,
    tools: Sequence[Definition] = (),
    seconds: float,
    longest: int,
    on_text: Callable[[str], None] | None = None,
    stopped: Callable[[], bool] | None = None,
) -> Reply:
    """Ask a model, and again with growing waits where the endpoint is away, busy or breaks off.

    Args:
        seconds: for all of it, waits too.
        longest: letters of the answer, arguments of tools among them.
        on_text: told the text so far about once a second; an answer that broke off begins anew.
        stopped: asked about twice a second whether to give up.

    Raises:
        Stopped: `stopped` said so.
        InvalidInput: the endpoint refuses the key, the model or the question.
        TooLarge: the answer is.
        TooManyRequests: the endpoint wants to be asked less often, or later.
        Unavailable: it is away, slow, breaks off or rests (see `breaker`).
    `spent_on` says of each of them which tokens were used up all the same.
    """
    deadline, lost, attempt = Deadline(seconds, stopped=stopped), Spent(), 0
    while True:
        attempt += 1
        answer = Answer(longest, on_text)
        try:
            breaker.check(target.endpoint_id, target.name)
            _ask(target, messages, tools, answer, deadline, stopped)
            breaker.answered(target.endpoint_id)
            return _reply(answer, messages, lost)
        except LeitstandError as error:
            if answer.taken:
                lost += _spent(answer, messages)
            _note(target, error)
            wait = _wait(target, error, attempt)
            if wait is None or not _waited(deadline, wait):
                error.details[SPENT] = [lost.prompt_tokens, lost.completion_tokens]
                raise


def spent_on(error: LeitstandError) -> Spent:
    """The tokens that were used up by a question that failed."""
    found = error.details.get(SPENT)
    return Spent(*found) if isinstance(found, list) else Spent()


def _ask(
    target: Target,
    messages: Sequence[Message],
    tools: Sequence[Definition],
    answer: Answer,
    deadline: Deadline,
    stopped: Callable[[], bool] | None,
) -> None:
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
    if target.key:
        headers["Authorization"] = f"Bearer {target.key}"
    with streamed(
        f"{target.base_url.rstrip('/')}/chat/completions",
        method="POST",
        headers=headers,
        body=json.dumps(_document(target.model, messages, tools)).encode(),
        seconds=deadline.left(),
        most_bytes=BYTES_BESIDE + BYTES_A_LETTER * answer.longest,
        stopped=stopped,
    ) as stream:
        if not stream.ok:
            raise _refusal(target, stream)
        answer.taken = True
        if stream.headers.get("content-type", "").startswith("application/json"):
            answer.read_whole(stream.read().body)
        else:
            answer.read(stream.pieces)


def _document(model: str, messages: Iterable[Message], tools: Iterable[Definition]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "model": model,
        "messages": [_message(message) for message in messages],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    offered = [
        {
            "type": "function",
            "function": {"name": one.name, "description": one.description, "parameters": one.parameters},
        }
        for one in tools
    ]
    return found | ({"tools": offered} if offered else {})


def _message(message: Message) -> dict[str, Any]:
    found: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.role == "tool":
        found["tool_call_id"] = message.call_id
    if message.calls:
        found["content"] = message.text or None
        found["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": _json_or_none(call.arguments)},
            }
            for call in message.calls
        ]
    return found


def _json_or_none(arguments: str) -> str:
    """Arguments as a server takes them back: many read them again, and fail where they are no JSON."""
    try:
        return arguments if isinstance(json.loads(arguments), dict) else "{}"
    except (ValueError, RecursionError):
        return "{}"


def _refusal(target: Target, stream: Stream) -> LeitstandError:
    """What a status other than success means."""
    status, name = stream.status, target.name
    if status in REFUSED:
        return InvalidInput(
            msg("The endpoint {name} refuses the key ({status}).", name=name, status=status),
            hint="Enter another one under Settings, Integrations, Model endpoints.",
        )
    if status == 404:
        return InvalidInput(
            msg("The endpoint {name} does not know the model {model}.", name=name, model=target.model),
            hint="Choose another model, or check the endpoint's address.",
        )
    if status == 429:
        after = _seconds_of(stream.headers.get("retry-after", ""))
        return TooManyRequests(
            msg("The endpoint {name} has no room for more questions now.", name=name),
            details={} if after is None else {"retry_after": after},
        )
    if status in UNREADABLE:
        reason = _reason(stream) or str(status)
        return InvalidInput(
            msg("The endpoint {name} refuses the question: {reason}", name=name, reason=reason)
        )
    return Unavailable(msg("The endpoint {name} answers {status}.", name=name, status=status))


def _reason(stream: Stream) -> str:
    try:
        return reason_in(stream.read().document())
    except LeitstandError:
        return ""


def _seconds_of(header: str) -> float | None:
    """What `Retry-After` asks for: seconds, or an instant."""
    if header.strip().isdigit():
        return float(min(int(header.strip()[:9]), 10**6))
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def _note(target: Target, error: LeitstandError) -> None:
    """Count for the breaker: whoever refuses is there."""
    if isinstance(error, Resting):
        return
    if isinstance(error, Unavailable):
        breaker.failed(target.endpoint_id)
    elif isinstance(error, InvalidInput | TooManyRequests):
        breaker.answered(target.endpoint_id)


def _wait(target: Target, error: LeitstandError, attempt: int) -> float | None:
    """Seconds until the next attempt, None where there is none."""
    if breaker.rests(target.endpoint_id) or not isinstance(error, Unavailable | TooManyRequests):
        return None
    wait = wait_before_next(error, attempt=attempt, attempts=ATTEMPTS, first_wait=FIRST_WAIT_SECONDS)
    asked = error.details.get("retry_after")
    if wait is None or not isinstance(asked, float):
        return wait
    return max(wait, asked) if asked <= LONGEST_ASKED_WAIT else None


def _waited(deadline: Deadline, wait: float) -> bool:
    """Wait; False where not so much time is left.

    Raises:
        Stopped: the question was given up meanwhile.
    """
    until = time.monotonic() + wait
    try:
        if deadline.left() < wait:
            return False
    except Unavailable:
        return False
    while (left := until - time.monotonic()) > 0:
        deadline.left()
        time.sleep(min(left, PULSE_SECONDS))
    return True


def _reply(answer: Answer, messages: Sequence[Message], lost: Spent) -> Reply:
    spent = lost + _spent(answer, messages)
    return Reply(answer.text, answer.calls, spent.prompt_tokens, spent.completion_tokens, answer.finish)


def _spent(answer: Answer, messages: Sequence[Message]) -> Spent:
    if answer.usage is not None:
        return Spent(*answer.usage)
    return Spent(estimated_prompt(messages), estimated_answer(answer.text, answer.calls))
