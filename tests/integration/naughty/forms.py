"""The forms of pages, as a browser reads them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urldefrag, urljoin

from bs4 import BeautifulSoup, Tag

TYPED = {"", "text", "search", "email", "url", "tel", "number", "date", "password", "textarea"}
UNSENT = {"submit", "button", "image", "reset", "file"}
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


@dataclass(frozen=True)
class Form:
    """A form of a page: where it goes, what is in it, and in which of its fields a person types."""

    page: str
    method: str
    address: str
    values: dict[str, str]
    typed: tuple[str, ...]
    secret: tuple[str, ...]

    @property
    def action(self) -> str:
        """Its address without ids and query."""
        return ID.sub("ID", self.address.partition("?")[0])

    @property
    def name(self) -> str:
        """The same for the forms of all things of a kind."""
        return f"{self.method} {self.action} {' '.join(sorted(self.values))}"


def forms(page: str, html: bytes) -> Iterator[Form]:
    """The forms of a page that have something to type in."""
    for form in BeautifulSoup(html, "html.parser").find_all("form"):
        values: dict[str, str] = {}
        typed, secret = [], []
        for field in form.find_all(["input", "textarea", "select"]):
            name, kind = str(field.get("name") or ""), _kind(field)
            if not name or name == "csrf" or kind in UNSENT or _is_off(field, kind):
                continue
            values[name] = value_of(field)
            if kind in TYPED:
                typed.append(name)
            if kind == "password":
                secret.append(name)
        if typed:
            address = urldefrag(urljoin(page, str(form.get("action") or page))).url
            method = str(form.get("method") or "get").upper()
            yield Form(page, method, address, values, tuple(typed), tuple(secret))


def shown(html: bytes, name: str) -> list[str]:
    """What the fields of this name hold on a page."""
    found = BeautifulSoup(html, "html.parser").find_all(["input", "textarea"], attrs={"name": name})
    return [value_of(field) for field in found]


def value_of(field: Tag) -> str:
    """What is sent of a field that nobody touched."""
    if field.name == "textarea":
        return field.get_text().removeprefix("\n")
    if field.name == "select":
        chosen = field.find("option", selected=True) or field.find("option")
        return str(chosen.get("value", chosen.get_text())) if isinstance(chosen, Tag) else ""
    return str(field.get("value") or ("on" if _kind(field) in {"checkbox", "radio"} else ""))


def _kind(field: Tag) -> str:
    return field.name if field.name != "input" else str(field.get("type") or "")


def _is_off(field: Tag, kind: str) -> bool:
    return field.has_attr("disabled") or (kind in {"checkbox", "radio"} and not field.has_attr("checked"))
