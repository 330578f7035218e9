"""Templates hold no text outside of `_()` and `{% trans %}`: neither between tags nor in what is read aloud or shown."""

import re
from pathlib import Path

import jinja2
import pytest
from jinja2 import nodes

from leitstand.words.extraction import TEMPLATES
from tests.repository import ROOT

# Names, abbreviations and keys that are the same in every language.
ALLOWED = {
    "Leitstand",
    "English",
    "Deutsch",
    "PostgreSQL",
    "Prefect",
    "RPO",
    "RTO",
    "SHA-256",
    "JSON",
    "PDF",
    "CSV",
    "PNG",
    "HTML",
    "UTC",
    "ms",
    "nbsp",
    "s",
}
READ_ALOUD = ("aria-label", "title", "placeholder", "alt", "data-confirm", "label", "aria-description")
TAG = re.compile(r"<!--.*?-->|<[^<>]*>", re.S)
ATTRIBUTE = re.compile(rf'\s(?:{"|".join(READ_ALOUD)})\s*=\s*"([^"]*)"')
BUTTON_VALUE = re.compile(r'<input\b(?=[^>]*\btype="(?:submit|button|reset)")[^>]*\bvalue="([^"]*)"')
# Attributes that a macro puts into a tag elsewhere.
FRAGMENT = re.compile(r'\s(?:[a-z-]+="[^"]*"|required\b|autofocus\b)')
CODE = re.compile(r"<(code|script|style)\b.*?</\1>", re.S)
# Entities, and addresses, hosts and names of events as examples.
NO_WORDS = re.compile(r"&\w+;|https?://\S*|\b[a-z]+\.[a-z]+\b")
LETTERS = re.compile(r"[^\W\d_]+(?:-\d+)?")
# Names of filters and attributes, states, addresses: what begins with a capital and goes on in small letters is read.
SENTENCE = re.compile(r"[A-ZÄÖÜ][a-zäöü].*")


def _templates() -> list[Path]:
    return [path for folder in TEMPLATES for path in sorted((ROOT / folder).rglob("*.html"))]


def _environment() -> jinja2.Environment:
    env = jinja2.Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    env.newstyle_gettext = True  # type: ignore[attr-defined]
    return env


def bare_texts(source: str) -> list[str]:
    """The words of a template that stand in it outside of `_()`."""
    tree = _environment().parse(source)
    said = {id(part) for node in tree.find_all(nodes.Call) if _is_gettext(node) for part in node.args[:2]}
    markup = "".join(
        part.data if isinstance(part, nodes.TemplateData) else "\x00"
        for output in tree.find_all(nodes.Output)
        for part in output.nodes
    )
    markup = CODE.sub("", markup)
    outside = FRAGMENT.sub("\x00", TAG.sub("\x00", markup))
    texts = [outside, *ATTRIBUTE.findall(markup), *BUTTON_VALUE.findall(markup)]
    words = [word for text in texts for word in LETTERS.findall(NO_WORDS.sub("", text))]
    constants = [
        node.value
        for node in tree.find_all(nodes.Const)
        if isinstance(node.value, str) and id(node) not in said and SENTENCE.fullmatch(node.value)
    ]
    return [word for word in [*words, *constants] if word not in ALLOWED]


def translated_variables(source: str) -> list[str]:
    """What is given to `_()` and is no constant: `_()` takes it for safe HTML, which a value of somebody's is not."""
    calls = [node for node in _environment().parse(source).find_all(nodes.Call) if _is_gettext(node)]
    return [f"line {node.lineno}" for node in calls if not isinstance(node.args[0], nodes.Const)]


def _is_gettext(node: nodes.Call) -> bool:
    return isinstance(node.node, nodes.Name) and node.node.name in {"_", "gettext", "ngettext"}


@pytest.mark.parametrize("path", _templates(), ids=lambda path: path.name)
def test_every_text_can_be_translated(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert bare_texts(source) == [], "write {{ _(…) }}"
    assert translated_variables(source) == [], (
        "use the filter `translated` for a text that comes from elsewhere"
    )


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("<p>Hello</p>", ["Hello"]),
        ("<p>{{ name }} is here</p>", ["is", "here"]),
        ('<a href="/x" aria-label="Open">{{ icon("x") }}</a>', ["Open"]),
        ('<input type="submit" value="Send">', ["Send"]),
        ('<input type="hidden" value="send">', []),
        ('{{ "Save" if item else "Create" }}', ["Save", "Create"]),
        ('{{ head("Backups") }}', ["Backups"]),
        ("<p>{% if x %}yes{% endif %}</p>", ["yes"]),
        ("<p>{{ _('Hello') }}</p>", []),
        ("<p>{% trans name=x %}Hello {{ name }}{% endtrans %}</p>", []),
        ("<p>{% trans count=n %}one{% pluralize %}{{ count }} rows{% endtrans %}</p>", []),
        ('<a class="button" href="/a">{{ _("Open") }} · 12 <code>leitstand x</code></a>', []),
        ("<dt>SHA-256</dt><dd>&nbsp;–</dd>", []),
    ],
)
def test_texts_outside_are_found(source: str, found: list[str]) -> None:
    assert bare_texts(source) == found


def test_a_variable_in_gettext_is_found() -> None:
    assert translated_variables("{{ _(error.message) }}{{ _('a') }}") == ["line 1"]


def test_scripts_hold_no_text() -> None:
    """A string with a capital and a blank, or one that is put on a page, is a text that somebody reads."""
    shown = re.compile(
        r'(?:textContent|innerText|title|ariaLabel|confirm\(|alert\()\s*=?\s*["\'`][^"\'`]*[A-Za-z]'
    )
    for path in sorted((ROOT / "serving/static/js").glob("*.js")):
        source = path.read_text(encoding="utf-8")
        assert shown.findall(source) == [], path.name
        assert re.findall(r'["\'`][A-Z][a-z]+ [^"\'`]*["\'`]', source) == [], path.name
