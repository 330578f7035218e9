"""Tools that are one HTTP request: the server is fixed, arguments fill places in path and query, or are the body."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from leitstand.agents.tools import signing_in
from leitstand.agents.tools.answers import ToolFailed, failure, readable, told
from leitstand.agents.tools.asked import Asked
from leitstand.agents.tools.schemas import checked_parameters
from leitstand.errors import InvalidInput
from leitstand.integrations.addresses import checked_url
from leitstand.outgoing.fetching import MOVED, streamed
from leitstand.words import msg

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
WITHOUT_BODY = frozenset({"GET", "DELETE"})
PLACE = re.compile(r"\{([^{}]*)\}")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
SEPARATORS = re.compile(r"[/\\]")
LONGEST_ADDRESS = 8_000
DECODED = 5
UPWARDS = frozenset({".", ".."})


def checked(
    configuration: Mapping[str, Any], parameters: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Configuration and schema of such a tool; arguments that the schema does not name are not taken.

    Raises:
        InvalidInput: the method, the address, a header or the schema is not fit.
    """
    method = str(configuration.get("method", "GET")).upper()
    if method not in METHODS:
        raise InvalidInput(msg("The method is one of {methods}.", methods=", ".join(METHODS)))
    schema = checked_parameters({**parameters})
    if schema.get("additionalProperties", False) is not False:
        raise InvalidInput("Arguments that the schema does not name can't be sent.")
    schema = {**schema, "additionalProperties": False}
    url = _checked_address(str(configuration.get("url", "")), schema)
    return {"method": method, "url": url, **signing_in.checked(configuration)}, schema


def use(asked: Asked) -> str:
    """Send the request; what a model is told of the answer.

    Raises:
        InvalidInput: an argument does not fit its place in the address.
        ToolFailed: the server answers that it failed, or redirects.
        LeitstandError: as `outgoing.fetching.streamed`.
    """
    configuration = asked.configuration
    method = configuration["method"]
    url, rest = address_of(configuration["url"], asked.arguments)
    headers = {"Accept": "application/json, text/*;q=0.9, */*;q=0.1", "Idempotency-Key": asked.key}
    headers |= signing_in.headers_of(configuration, asked.secret)
    body = b""
    if method in WITHOUT_BODY:
        url = with_query(url, rest)
    else:
        headers["Content-Type"] = "application/json"
        body = json.dumps(rest, ensure_ascii=False).encode()
    if len(url) > LONGEST_ADDRESS:
        raise InvalidInput("The arguments make the address too long.")
    with streamed(url, method=method, headers=headers, body=body, seconds=asked.seconds) as stream:
        answer = stream.read()
    text = readable(answer.body, answer.headers.get("content-type", ""))
    if answer.status in MOVED:
        raise ToolFailed(msg("The tool's server redirects ({status}), which is not followed.", status=answer.status))  # fmt: skip
    if not answer.ok:
        raise failure(answer.status, text, secret=asked.secret)
    return told(text, secret=asked.secret) or f"({answer.status}, no text)"


def address_of(template: str, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The address with its places filled, and the arguments that had no place in it.

    Whatever the arguments are, scheme, host and port are the template's, and no part of its path leads upwards.

    Raises:
        InvalidInput: an argument is missing, or does not fit its place.
    """
    path, mark, query = template.partition("?")
    url = PLACE.sub(_filling(arguments, _in_path), path) + mark
    url += PLACE.sub(_filling(arguments, _in_query), query)
    if urlsplit(url)[:2] != urlsplit(template)[:2]:
        raise InvalidInput("The arguments would lead to another server.")
    _refuse_upwards(urlsplit(url).path)
    used = set(places(template))
    return url, {name: value for name, value in arguments.items() if name not in used}


def with_query(url: str, arguments: Mapping[str, Any]) -> str:
    """The address with arguments behind it; a list is given entry by entry, and none is left out."""
    pairs = [
        (name, _text(one))
        for name, value in arguments.items()
        for one in (value if isinstance(value, list) else [value])
        if one is not None
    ]
    if not pairs:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(pairs)}"


def places(template: str) -> list[str]:
    """The names of the arguments that an address has places for."""
    return PLACE.findall(template)


def _checked_address(url: str, schema: Mapping[str, Any]) -> str:
    url = url.strip()
    # Any text may stand in a place: what is judged is the address around it.
    plain = checked_url(PLACE.sub("x", url))
    if "{" in plain or "}" in plain or "\\" in plain:
        raise InvalidInput("The address has a brace or a backslash in it that encloses no argument.")
    parts = urlsplit(plain)
    server = f"{parts.scheme}://{parts.netloc}"
    if url[: len(server)].lower() != server.lower():
        raise InvalidInput(
            "An argument can stand in the path and behind the question mark only.",
            hint="Scheme, host and port are fixed.",
        )
    _refuse_upwards(parts.path)
    named, required = schema.get("properties", {}), schema.get("required", [])
    for name in places(url):
        if not NAME.fullmatch(name) or name not in named or name not in required:
            raise InvalidInput(
                msg("The address has a place for {name}, which is no required argument.", name=name[:100]),
                hint="Name it in the schema, under properties and under required.",
            )
    return url


def _filling(
    arguments: Mapping[str, Any], write: Callable[[str, str], str]
) -> Callable[["re.Match[str]"], str]:
    def fill(place: "re.Match[str]") -> str:
        name = place[1]
        if arguments.get(name) is None:
            raise InvalidInput(msg("The argument {name} is missing.", name=name))
        return write(name, _text(arguments[name]))

    return fill


def _in_path(name: str, text: str) -> str:
    """Never empty: what asks for one of a list, or deletes it, would else do so with all of it."""
    if not text.strip() or not text.isprintable():
        raise InvalidInput(msg("The argument {name} can't stand in an address.", name=name))
    return quote(text, safe="")


def _in_query(name: str, text: str) -> str:
    return quote(text, safe="")


def _refuse_upwards(path: str) -> None:
    """Also where a server decodes more than once what is encoded."""
    for segment in path.split("/"):
        decoded = segment
        for _ in range(DECODED):
            if not UPWARDS.isdisjoint(SEPARATORS.split(decoded)):
                raise InvalidInput("The arguments would lead to another part of the server.")
            decoded = unquote(decoded)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
