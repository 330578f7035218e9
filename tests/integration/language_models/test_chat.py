"""Models asked over a real connection: plainly, slowly, broken, busy, malicious."""

import threading
import time
from dataclasses import replace

import pytest

from leitstand.db.models.base import new_id
from leitstand.errors import InvalidInput, LeitstandError, TooLarge, TooManyRequests, Unavailable
from leitstand.language_models import chat, reading
from leitstand.language_models.breaker import MOST_FAILURES, Resting
from leitstand.language_models.chat import Call, Definition, Message, Reply, complete, spent_on
from leitstand.language_models.endpoints import Target
from leitstand.outgoing.connections import Refused, Stopped
from leitstand.settings import get_settings
from tests.model_server import ModelServer, calls, malformed, refuses, says

QUESTION = [Message("system", "Be brief."), Message("user", "How are you?")]
FIND = Definition("find", "Finds things.", {"type": "object", "properties": {"what": {"type": "string"}}})


def asked(target: Target, seconds: float = 20, longest: int = 5_000, **more: object) -> Reply:
    return complete(target, QUESTION, seconds=seconds, longest=longest, **more)  # type: ignore[arg-type]


def test_a_question_is_sent_in_openais_form_and_its_answer_read(models: ModelServer, target: Target) -> None:
    models.answer(says("Quite well, thank you.", piece=3, usage=(11, 7)))
    assert asked(target, tools=[FIND]) == Reply("Quite well, thank you.", (), 11, 7, "stop")
    sent = models.asked[0]
    assert (sent["model"], sent["stream"], sent["stream_options"]) == ("small", True, {"include_usage": True})
    assert sent["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "How are you?"},
    ]
    function = {"name": "find", "description": "Finds things.", "parameters": FIND.parameters}
    assert sent["tools"] == [{"type": "function", "function": function}]
    assert models.headers[0]["authorization"] == f"Bearer {models.key}"
    asked(target)
    assert "tools" not in models.asked[1]
    assert models.key not in repr(target)


def test_tools_that_a_model_wants_and_what_they_gave(models: ModelServer, target: Target) -> None:
    models.answer(calls(("find", {"what": "ü"}), ("find", "{not json"), text="Let me see."))
    reply = asked(target, tools=[FIND])
    assert (reply.text, reply.finish) == ("Let me see.", "tool_calls")
    assert reply.calls == (Call("call_1", "find", '{"what": "\\u00fc"}'), Call("call_2", "find", "{not json"))
    told = [Message("tool", "Nothing.", call_id="call_1"), Message("tool", "No JSON.", call_id="call_2")]
    models.answer(says("There is nothing."))
    history = [*QUESTION, Message("assistant", reply.text, reply.calls), *told]
    assert complete(target, history, seconds=20, longest=100).text == "There is nothing."
    assistant = models.told()[2]
    # Servers read arguments again, so that what is no JSON goes back as none.
    assert [one["function"]["arguments"] for one in assistant["tool_calls"]] == [
        '{"what": "\\u00fc"}',
        "{}",
    ]
    assert models.told()[3] == {"role": "tool", "content": "Nothing.", "tool_call_id": "call_1"}


def test_it_asks_again_where_that_helps(models: ModelServer, target: Target) -> None:
    models.answer(refuses(500), refuses(503), says("broken and", breaks_off=True), malformed(), says("Here."))
    told: list[str] = []
    reply = asked(target, on_text=told.append)
    assert reply.text == "Here." and len(models.asked) == 5 and told[-1] == "Here."
    # What broke off was paid for all the same: about as many tokens as its letters had.
    assert reply.prompt_tokens > 5 and reply.completion_tokens > 1


def test_an_endpoint_that_stays_away_is_told(models: ModelServer, target: Target) -> None:
    models.answer(refuses(500))
    with pytest.raises(Unavailable, match="Models answers 500"):
        asked(target)
    assert len(models.asked) == chat.ATTEMPTS
    gone = replace(target, endpoint_id=new_id(), base_url="http://127.0.0.1:1/v1")
    with pytest.raises(Unavailable, match="can't be reached"):
        asked(gone)
    models.answer(says("broken off", breaks_off=True))
    target = replace(target, endpoint_id=new_id())
    with pytest.raises(Unavailable, match=r"can't be reached|broke off") as lost:
        asked(target)
    assert spent_on(lost.value).completion_tokens > 0


def test_a_busy_endpoint_says_how_long_to_wait(
    models: ModelServer, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(chat, "_waited", lambda deadline, wait: waits.append(wait) or True)
    models.answer(refuses(429, retry_after="7"), refuses(429), says("Here."))
    assert asked(target).text == "Here." and waits[0] == 7.0 and waits[1] < 1
    models.answer(refuses(429, retry_after="3600"), says("Never."))
    with pytest.raises(TooManyRequests, match="no room") as busy:
        asked(target)
    assert busy.value.details["retry_after"] == 3600.0
    monkeypatch.undo()
    monkeypatch.setenv("LEITSTAND_OUTGOING_PRIVATE_ADDRESSES_ALLOWED", "127.0.0.1")
    get_settings.cache_clear()
    models.answer(refuses(429, retry_after="30"), says("Too late."))
    with pytest.raises(TooManyRequests):
        asked(target, seconds=2)


def test_what_does_not_help_is_not_asked_again(models: ModelServer, target: Target) -> None:
    for wrong, said in (
        (replace(target, key="sk-wrong"), "refuses the key"),
        (replace(target, base_url=f"{models.url}/v2"), "does not know the model small"),
        (replace(target, model="huge"), "The model `huge` does not exist"),
    ):
        with pytest.raises(InvalidInput, match=said):
            asked(wrong)
    assert len(models.asked) == 1
    models.answer(refuses(413, message="context\x00 too\nlong " + "x" * 5_000))
    with pytest.raises(InvalidInput, match="refuses the question: context too long xxx") as refused:
        asked(target)
    assert len(refused.value.message) < 400


def test_an_endpoint_in_a_private_network_is_not_asked(
    models: ModelServer, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEITSTAND_OUTGOING_PRIVATE_ADDRESSES_ALLOWED", "")
    get_settings.cache_clear()
    with pytest.raises(Refused):
        asked(target)
    assert models.asked == []


def test_no_answer_takes_longer_or_more_than_it_may(models: ModelServer, target: Target) -> None:
    models.answer(says("drip " * 10, piece=1, pause=0.1))
    with pytest.raises(Unavailable, match="in time") as slow:
        asked(target, seconds=1.5)
    assert spent_on(slow.value).prompt_tokens > 0
    models.answer(says("again and again ", endless=True))
    with pytest.raises(TooLarge, match="5,000 letters") as long:
        asked(target)
    assert spent_on(long.value).completion_tokens > 1_000
    models.answer(malformed(b": nothing\n" * 400_000))
    with pytest.raises(TooLarge, match="bytes"):
        asked(target)


def test_a_question_that_was_taken_and_not_answered_counts(models: ModelServer, target: Target) -> None:
    models.answer(malformed(), refuses(500), says("Here.", usage=(10, 1)))
    reply = asked(target)
    assert (reply.prompt_tokens, reply.completion_tokens) == (6 + 10, 1)


def test_somebody_can_stop_it_while_it_answers_and_while_it_waits(
    models: ModelServer, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, stop = threading.Event(), threading.Event()
    monkeypatch.setattr(reading, "TELL_SECONDS", 0.0)
    models.answer(says("something that never ends", held=held))
    with pytest.raises(Stopped) as stopped:
        asked(target, on_text=lambda text: stop.set(), stopped=stop.is_set)
    held.set()
    assert spent_on(stopped.value).prompt_tokens > 0
    monkeypatch.setattr(chat, "FIRST_WAIT_SECONDS", 60.0)
    stop.clear()
    models.answer(refuses(500))
    threading.Timer(0.2, stop.set).start()
    began = time.monotonic()
    with pytest.raises(Stopped):
        asked(target, seconds=200, stopped=stop.is_set)
    assert time.monotonic() - began < 20


def test_an_endpoint_that_failed_often_rests(models: ModelServer, target: Target) -> None:
    models.answer(refuses(500))
    for _ in range(3):
        with pytest.raises(Unavailable):
            asked(target)
    assert len(models.asked) == MOST_FAILURES
    with pytest.raises(Resting, match=f"failed {MOST_FAILURES} times"):
        asked(target)


def test_an_endpoint_that_counts_no_tokens_or_streams_nothing_is_taken_too(
    models: ModelServer, target: Target
) -> None:
    models.answer(says("x" * 40, reports=False))
    reply = asked(target)
    assert (reply.prompt_tokens, reply.completion_tokens) == (6, 10)
    models.answer(says("In one piece.", usage=(3, 4), whole=True))
    assert asked(target) == Reply("In one piece.", (), 3, 4, "stop")  # fmt: skip


def test_every_error_is_one_of_ours(models: ModelServer, target: Target) -> None:
    for body in (b"", b"\xff" * 50, b"data: null\n\n", b"data: {}\n\n", b"\x00"):
        models.answer(malformed(body))
        with pytest.raises(LeitstandError):
            asked(target)
