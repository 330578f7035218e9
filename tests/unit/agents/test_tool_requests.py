"""What arguments can make of a tool's address and headers: never another server, another part of it, or a header."""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.agents.tools import http_requests, signing_in
from leitstand.errors import InvalidInput

URL = "https://api.example.org/v1/orders/{order}/notes?lang={lang}"
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=4)


def schema(*names: str, **more: Any) -> dict[str, Any]:
    """Arguments of these names, all of them required."""
    return {
        "type": "object",
        "properties": {name: {"type": "string"} for name in names},
        "required": [*names],
        **more,
    }


def kept(url: str, *names: str, **more: Any) -> dict[str, Any]:
    """The configuration of a tool, as it is kept."""
    return http_requests.checked({"url": url, **more}, schema(*names))[0]


@given(order=st.text() | JSON, lang=st.text() | JSON)
def test_no_argument_leads_to_another_server_or_upwards(order: Any, lang: Any) -> None:
    try:
        url, rest = http_requests.address_of(URL, {"order": order, "lang": lang, "more": 1})
    except InvalidInput:
        return
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "api.example.org", "")
    assert url.isascii() and url.isprintable() and " " not in url
    segments = parts.path.split("/")
    assert segments[:3] + segments[4:] == ["", "v1", "orders", "notes"] and rest == {"more": 1}
    assert not {".", ".."} & set(unquote(unquote(segments[3])).replace("\\", "/").split("/"))
    assert [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)] == ["lang"]


@pytest.mark.parametrize(
    "order", ["", " ", "..", ".", "../../admin", "a/../b", "..\\x", "%2e%2e", "%252e%252e/x", "a\r\nHost: evil", "\0", None],
)  # fmt: skip
def test_what_cannot_stand_in_a_path_is_refused(order: Any) -> None:
    with pytest.raises(InvalidInput):
        http_requests.address_of(URL, {"order": order, "lang": "de"})


def test_two_arguments_beside_each_other_do_not_lead_upwards_together() -> None:
    with pytest.raises(InvalidInput, match="another part"):
        http_requests.address_of("https://api.example.org/a/{x}{y}/b", {"x": ".", "y": "."})


def test_arguments_are_encoded_where_they_stand() -> None:
    url, _ = http_requests.address_of(URL, {"order": "a/b c?d#e@f:80", "lang": "x&y=1#z"})
    assert url == "https://api.example.org/v1/orders/a%2Fb%20c%3Fd%23e%40f%3A80/notes?lang=x%26y%3D1%23z"
    assert http_requests.address_of(URL, {"order": 7, "lang": True})[0].endswith("/7/notes?lang=true")
    more = http_requests.with_query(url, {"tag": ["a", "b&c"], "deep": {"x": 1}, "none": None})
    assert more == f"{url}&tag=a&tag=b%26c&deep=%7B%22x%22%3A+1%7D"
    assert http_requests.with_query("https://a.example/", {}) == "https://a.example/"


@pytest.mark.parametrize(
    "url",
    [
        "https://{order}.example.org/", "https://api.example.org{order}/", "https://api.example.org:{order}/",
        "{order}://api.example.org/", "https://{order}@api.example.org/", "https://api.example.org/#{order}",
        "https://api.example.org/{unknown}", "https://api.example.org/{order", "https://api.example.org/{}",
        "https://api.example.org/{order?x}", "https://api.example.org/../{order}", "https://api.example.org\\@evil/{order}",
        "http://api.example.org/{order}", "https://10.0.0.1/{order}", "https://169.254.169.254/{order}", "file:///etc/{order}",
        "https://localhost/{order}", "https://[::1]/{order}",
    ],
)  # fmt: skip
def test_an_address_that_is_not_fixed_or_not_public_is_not_kept(url: str, settings_only: None) -> None:
    with pytest.raises(InvalidInput):
        kept(url, "order")


def test_an_argument_of_the_address_must_be_required(settings_only: None) -> None:
    assert kept("https://api.example.org/{order}", "order")["method"] == "GET"
    with pytest.raises(InvalidInput, match="no required argument"):
        http_requests.checked({"url": "https://api.example.org/{order}"}, schema("order", required=[]))


def test_arguments_that_the_schema_does_not_name_are_not_taken(settings_only: None) -> None:
    given_ = {"url": "https://api.example.org/"}
    assert http_requests.checked(given_, schema("a"))[1]["additionalProperties"] is False
    with pytest.raises(InvalidInput, match="does not name"):
        http_requests.checked(given_, schema("a", additionalProperties=True))
    with pytest.raises(InvalidInput, match="method"):
        kept("https://api.example.org/", method="TRACE")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"}, {"X-A": "a\r\nX-B: b"}, {"X-A\r\nX-B": "b"}, {"X A": "b"}, {"X-A": "ü"}, {"": "b"},
        {"Content-Length": "0"}, {"Transfer-Encoding": "chunked"}, {"authorization": "Bearer x"}, {"Cookie": "a=b"},
        {f"X-{number}": "a" for number in range(21)}, {"X-A": "a" * 2_001}, "X-A: b",
    ],
)  # fmt: skip
def test_headers_that_are_ours_or_secret_or_two_are_not_kept(headers: Any) -> None:
    with pytest.raises(InvalidInput):
        signing_in.checked_headers(headers)


def test_a_secret_goes_into_one_header() -> None:
    usual = signing_in.checked({"headers": {"X-Team": " ops "}})
    assert signing_in.headers_of(usual, "s") == {"X-Team": "ops", "Authorization": "Bearer s"}
    assert signing_in.headers_of(usual, "") == {"X-Team": "ops"}
    plain = signing_in.checked({"secret_header": "X-Api-Key"})
    assert signing_in.headers_of(plain, "s") == {"X-Api-Key": "s"}
    for header in ("Host", "X A", "Idempotency-Key"):
        with pytest.raises(InvalidInput):
            signing_in.checked({"secret_header": header})
    for secret in ("a\nb", "ü", "a" * 2_001):
        with pytest.raises(InvalidInput):
            signing_in.checked_secret(secret)
