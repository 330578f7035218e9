"""Answers of models put together from their pieces: cut anywhere, malformed, malicious."""

import json
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.errors import LeitstandError, TooLarge, Unavailable
from leitstand.language_models import reading
from leitstand.language_models.messages import Call, clean, estimated, fit_name
from leitstand.language_models.reading import MOST_CALLS, Answer, events


def sent(*deltas: dict[str, Any], finish: str | None = "stop", done: bool = True, end: str = "\n") -> bytes:
    """A stream with these deltas."""
    documents: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    if finish:
        documents.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    lines = [f"data: {json.dumps(one)}{end}{end}" for one in documents]
    return "".join([f": a comment{end}{end}", *lines, f"data: [DONE]{end}{end}" if done else ""]).encode()


def called(index: int, call_id: str | None, name: str | None, arguments: str) -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"tool_calls": [{"index": index, "function": function} | ({"id": call_id} if call_id else {})]}


def read(stream: bytes, longest: int = 10_000) -> Answer:
    answer = Answer(longest)
    answer.read([stream])
    return answer


@given(cuts=st.lists(st.integers(0, 2_000), max_size=20), end=st.sampled_from(["\n", "\r\n"]))
def test_it_does_not_matter_where_the_bytes_are_cut(cuts: list[int], end: str) -> None:
    stream = sent({"content": "Gr\u00fc\u00dfe "}, {"content": "\U0001f642"}, called(0, "a", "find", '{"x":'),
                  called(1, "b", "read", "{}"), called(0, None, None, " 1}"), end=end)  # fmt: skip
    stream = stream.replace(b"Gr\\u00fc\\u00dfe", "Grüße".encode())
    at = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    answer = Answer(1_000)
    answer.read(stream[start:stop] for start, stop in pairwise(at))
    assert answer.text == "Grüße \U0001f642"
    assert answer.calls == (Call("a", "find", '{"x": 1}'), Call("b", "read", "{}"))


def test_events_follow_the_rules_of_their_form() -> None:
    stream = b"event: x\ndata: one\ndata:two\n\n\n: nothing\n\ndata: \n\ndata: last"
    assert list(events([stream])) == ["one\ntwo", "", "last"]


@pytest.mark.parametrize(
    "stream",
    [b"", b"data: [DONE]\n\n", b"data: {\n\n", b"data: []\n\n", b"data: 7\n\n", b"<html>", b"data: " + b"[" * 100_000,
     sent({"content": "half"}, finish=None), sent({"content": "half"}, finish=None, done=False), b"data: \xff\xfe\n\n",
     b'data: {"error": {"message": "overloaded"}}\n\n', b'data: {"error": "overloaded"}\n\n'],
)  # fmt: skip
def test_what_is_no_whole_answer_is_none(stream: bytes) -> None:
    with pytest.raises(Unavailable):
        read(stream)


@given(
    document=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "delta", "tool_calls", "function", "index", "id", "content", "usage", "name",
                             "arguments", "finish_reason", "error", "message", "prompt_tokens"]), inner, max_size=5),
        max_leaves=20,
    )
)  # fmt: skip
def test_no_form_of_answer_is_more_than_one_of_our_errors(document: Any) -> None:
    answer = Answer(1_000)
    with suppress(LeitstandError):
        answer.read([f"data: {json.dumps(document)}\n\n".encode()])
    kept = answer.text + "".join(call.id + call.name + call.arguments for call in answer.calls)
    assert kept.encode() is not None and "\x00" not in kept
    assert len({call.id for call in answer.calls}) == len(answer.calls) <= MOST_CALLS


def test_an_endless_answer_is_given_up_and_so_are_endless_arguments() -> None:
    for delta in ({"content": "x" * 60}, called(0, "a", "find", "x" * 60)):
        with pytest.raises(TooLarge, match="100 letters"):
            read(sent(delta, delta), longest=100)
    many = read(sent(*(called(index, None, "find", "") for index in range(500))))
    assert len(many.calls) == MOST_CALLS


def test_nothing_of_an_answer_can_break_what_keeps_it() -> None:
    answer = read(
        sent({"content": "a\x00b\x1b[31m\u2028\ud83d"}, {"content": "\ude42\ud800\tc\n"},
             called(0, "same", "rm -rf /; \x00", "\x00"), called(1, "same", "", "{"), called(-1, "x" * 500, "y" * 500, ""))
    )  # fmt: skip
    assert answer.text == "ab[31m\u2028\U0001f642\ufffd\tc\n"
    ids, names = [call.id for call in answer.calls], [call.name for call in answer.calls]
    assert ids == ["x" * 100, "same", "same+"] and names == ["y" * 64, "rm_-rf_____", "unnamed"]
    answer.text.encode()


def test_those_who_follow_are_told_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    now = iter([100.0, 100.0, 100.5, 101.5, 101.5])
    monkeypatch.setattr(reading.time, "monotonic", lambda: next(now))
    answer = Answer(100, told.append)
    answer.read([sent({"content": "one "}, {"content": "two "}, {"content": "three"})])
    assert told == ["one ", "one two three"] and answer.text == "one two three"


def test_usage_is_what_the_endpoint_says_as_far_as_it_can_be() -> None:
    def usage(prompt: object, completion: object) -> tuple[int, int] | None:
        told = {"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion}}
        stream = sent({"content": "x"}, done=False) + f"data: {json.dumps(told)}\n\n".encode()
        return read(stream).usage

    assert usage(12, 3) == (12, 3)
    assert usage(-5, "many") == (0, 0)
    assert usage(10**30, None) == (10**9, 0)
    assert read(sent({"content": "x"})).usage is None


def test_an_answer_in_one_piece_is_taken_too() -> None:
    call = {"id": "a", "function": {"name": "find", "arguments": "{}"}}
    choice = {"message": {"content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}
    answer = Answer(100)
    answer.read_whole(json.dumps({"choices": [choice]}).encode())
    assert answer.calls == (Call("a", "find", "{}"),)
    with pytest.raises(Unavailable, match="not understood"):
        Answer(100).read_whole(b'{"choices": []}')


def test_words_and_estimates() -> None:
    assert clean("a\r\nb\u0085\x7f") == "a\r\nb" and clean("") == ""
    assert fit_name("läuft gut") == "l_uft_gut" and fit_name("") == "unnamed"
    assert (estimated(""), estimated("a"), estimated("abcd", "e")) == (0, 1, 2)
