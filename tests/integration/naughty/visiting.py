"""Companions whose first step is one of each kind that a visitor can type at, and a visitor before their pages."""

from dataclasses import dataclass
from typing import Any

from bs4 import BeautifulSoup
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy.orm import Session

from leitstand.catalogue import contents
from leitstand.catalogue.companions import create
from leitstand.companions.flow import parse_flow
from leitstand.companions.versions import publish, save_version
from leitstand.identity.access import Principal
from tests.integration.naughty.forms import Form, forms, value_of

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140", "Accept": "text/html"}
WORDS = {"type": "string"}
# The schemas of controls, and how they are asked for.
CONTROLS: dict[str, tuple[dict[str, Any], str]] = {
    "a-line": (WORDS, "line"),
    "lines": (WORDS, "lines"),
    "a-date": (WORDS | {"format": "date"}, "date"),
    "a-pattern": (WORDS | {"pattern": "^[a-z]+$"}, "auto"),
    "a-number": ({"type": "number"}, "auto"),
    "tenths": ({"type": "number", "multipleOf": 0.1}, "auto"),
    "an-integer": ({"type": "integer", "minimum": 0}, "auto"),
    "a-slider": ({"type": "number", "minimum": 0, "maximum": 9}, "slider"),
    "json": ({"type": "array", "uniqueItems": True}, "auto"),
    "an-object": ({"type": "object", "properties": {"name": WORDS, "more": {"type": "object"}}}, "auto"),
    "one": ({"enum": ["a", "b"]}, "select"),
    "radio": ({"enum": ["a", 1]}, "radio"),
    "checks": ({"type": "array", "items": {"enum": ["a", "b"]}}, "auto"),
    "yes": ({"type": "boolean"}, "checkbox"),
}
NUMBERS = {"a-number", "tenths", "an-integer", "a-slider"}
# As much as anybody can type into a field for a number or a day; such a field has no `maxlength`.
SHORT = 300


def steps(session: Session, owner: Principal) -> dict[str, dict[str, Any]]:
    """A step of each kind that takes something, by the name of its companion's link."""
    space = contents.create(session, principal=owner, kind="space", title="Handbook")
    found: dict[str, dict[str, Any]] = {
        "question": {"kind": "question", "max_length": 4_000},
        "long-question": {"kind": "question", "long": True, "required": False, "max_length": 4_000},
        "choice": {"kind": "choice", "options": [{"value": "a"}, {"value": "b"}]},
        "ask": {"kind": "ask", "space": str(space.id)},
    }
    for name, (schema, widget) in CONTROLS.items():
        content = {"schema": schema, "ui": {"widget": widget}}
        control = contents.create(session, principal=owner, kind="control", title=name, content=content)
        found[name] = {"kind": "input", "control": str(control.id)}
    return found


def open_all(session: Session, owner: Principal) -> list[str]:
    """Publish a companion for each; what is said at its step is remembered, tested and said again.

    Returns:
        The names of their links.
    """
    given = steps(session, owner)
    for slug, step in given.items():
        flow = {
            "title": slug,
            "steps": [
                step | {"name": "said", "text": "What?", "next": "keep"},
                {"kind": "set", "name": "keep", "variable": "kept", "value": "{{said}}", "next": "long"},
                {
                    "kind": "condition",
                    "name": "long",
                    "branches": [
                        {"variable": "kept", "operator": "more", "value": "9", "next": "again"},
                        {"variable": "kept", "operator": "contains", "value": "x", "next": "again"},
                    ],
                    "next": "again",
                },
                {"kind": "message", "name": "again", "text": "So it is {{kept}}!", "next": "bye"},
                {"kind": "end", "name": "bye", "text": "Bye, {{said}}!"},
            ],
        }
        made = create(session, principal=owner, title=slug)
        save_version(session, principal=owner, companion_id=made.id, flow=parse_flow(flow))
        publish(session, principal=owner, companion_id=made.id, slug=slug)
    session.commit()
    return list(given)


@dataclass(frozen=True)
class Step:
    """A visitor's first page: its form, and how many characters a browser lets a person type into each field."""

    slug: str
    form: Form
    most: dict[str, int]


@dataclass
class Street:
    """Where visitors come by: the runtime, and the links of companions."""

    client: TestClient
    slugs: list[str]

    def begin(self, slug: str) -> Step:
        """The first page of a new visitor."""
        self.client.cookies.clear()
        address = f"/c/{slug}"
        page = self.client.get(address)
        assert page.status_code == 200, page.text
        html = BeautifulSoup(page.content, "html.parser")
        most = {
            str(field["name"]): int(str(field["maxlength"]))
            for field in html.find_all(["input", "textarea"], maxlength=True)
        }
        most |= {str(field["name"]): SHORT for field in html.find_all("input", type=["number", "date"])}
        form = next(forms(address, page.content), None) or _chosen(address, html)
        return Step(slug, form, most)

    def send(self, form: Form, **fields: str) -> Response:
        """Answer; the page that comes then."""
        return self.client.post(form.address, data=form.values | fields)


def _chosen(address: str, html: BeautifulSoup) -> Form:
    """The form of a page with nothing to type in: the last of its options is chosen."""
    (form,) = html.find_all("form")
    fields = form.find_all(["input", "select", "button"], attrs={"name": True})
    values = {str(one["name"]): value_of(one) for one in fields}
    return Form(address, "POST", str(form["action"]), values, (), ())


def said(page: Response, who: str) -> list[str]:
    """What a page shows that somebody said: `visitor` or `companion`."""
    html = BeautifulSoup(page.content, "html.parser")
    return [line.get_text() for line in html.select(f".said .{who} .words")]
