"""One line of a log, whoever wrote it: our services, Caddy, a program of its own; as it is, or as Docker keeps it."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

LONGEST = 20_000


@dataclass(frozen=True)
class Line:
    """One line: `at` in seconds since 1970 (0 where it says none), `request_id` empty where it is of no request."""

    at: float
    service: str
    level: str
    request_id: str
    text: str

    def to_dict(self) -> dict[str, object]:
        """JSON values."""
        return asdict(self)


def parse(raw: str, service: str) -> Line:
    """What a line says of itself.

    Args:
        service: who wrote it, where the line does not say.
    """
    raw = raw.rstrip("\n")[:LONGEST]
    at, document = 0.0, _document(raw)
    if document and document.keys() >= {"log", "time"}:  # as Docker keeps it
        raw, at = str(document["log"]).rstrip("\n"), _instant(document["time"])
        document = _document(raw)
    if document is None:
        return Line(at, service, "", "", raw)
    said = _instant(document.get("timestamp") or document.get("ts"))
    return Line(
        said or at,
        str(document.get("service") or service),
        str(document.get("level") or "").lower(),
        str(document.get("request_id") or _of_proxy(document)),
        raw,
    )


def _document(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _instant(value: object) -> float:
    if isinstance(value, int | float):
        return float(value)
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except ValueError:
        return 0.0


def _of_proxy(document: dict[str, Any]) -> str:
    """The id that Caddy answered with, or that it was asked with."""
    request = document.get("request")
    asked = request.get("headers") if isinstance(request, dict) else None
    for headers in (document.get("resp_headers"), asked):
        values = headers.get("X-Request-Id") if isinstance(headers, dict) else None
        if isinstance(values, list) and values:
            return str(values[0])
    return ""
