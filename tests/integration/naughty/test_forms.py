"""Every form of every page, with texts that break programs in each of its fields."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from tests.integration.naughty.forms import Form, forms, shown
from tests.integration.naughty.talking import Talk
from tests.integration.naughty.texts import SCRIPT, chosen, same, sample, texts
from tests.integration.permissions.bodies import FIELDS

LOST = {400, 409, 413, 415, 422}


def found(talk: Talk) -> list[Form]:
    """One form of each name, of all pages that have no parameter but ids."""
    named: dict[str, Form] = {}
    for method, path in talk.world.routes:
        if method != "GET" or path.startswith("/static"):
            continue
        address = talk.world.address(path, talk.ids)
        answer = talk.page(address)
        assert answer.status < 500, f"{address}: {answer.status}"
        if answer.status == 200 and answer.kind.startswith("text/html"):
            for form in forms(address, answer.body):
                named.setdefault(form.name, form)
        talk.forget()
    return list(named.values())


def wrong(talk: Talk, form: Form, field: str, text: str) -> Iterator[str]:
    """What is wrong where this text is sent in a field; a line each."""
    told = f"{form.name}: {field}={text[:60]!r}"
    values = {name: value or FIELDS.get(name, "") for name, value in form.values.items()} | {field: text}
    if form.method == "GET":
        answer = talk.ask("GET", _with_query(form.address, values), headers=(("accept", "text/html"),))
    else:
        answer = talk.send(form.address, values)
    if answer.status >= 500:
        yield f"{told}: {answer.status}"
    if SCRIPT.encode() in answer.body:
        yield f"{told}: raw markup"
    # What is typed into the preview of a control is only tried.
    tried = form.action in {"/controls", "/controls/ID/edit"} and field == "value"
    typed = form.method == "POST" and field in form.typed and field not in form.secret and not tried
    # A line of domains comes back with a comma between each two.
    held = [one.replace(",", " ") if field == "domains" else one for one in shown(answer.body, field)]
    kept = any(same(text, one) for one in held)
    if typed and answer.status in LOST and not kept:
        yield f"{told}: {answer.status}, and what was typed is lost"
    if answer.status == 303 and typed:
        yield from _read_back(talk, form, field, text, told)
    talk.forget()


def _read_back(talk: Talk, form: Form, field: str, text: str, told: str) -> Iterator[str]:
    page = talk.page(form.page)
    if page.status >= 500:
        yield f"{told}: then {page.status}"
    if SCRIPT.encode() in page.body:
        yield f"{told}: then raw markup"
    held, now = form.values[field], shown(page.body, field)
    # A field that shows something else than before shows what is kept.
    if held and len(now) == 1 and now[0] != held and not same(text, now[0]):
        yield f"{told}: then {now[0][:60]!r}"


def _with_query(address: str, values: dict[str, str]) -> str:
    return f"{address.partition('?')[0]}?{urlencode(values, errors='surrogatepass')}"


def test_whatever_is_typed_nothing_breaks_and_nothing_is_lost(pages: Talk) -> None:
    found_forms = found(pages)
    assert len(found_forms) > 40
    lines = [
        line
        for form in found_forms
        for field in form.typed
        for text in sample(f"{form.name} {field}", 1)
        for line in wrong(pages, form, field, text)
    ]
    assert not lines, "\n".join(lines)


@pytest.mark.long
@pytest.mark.timeout(7_200)
def test_whatever_is_typed_everywhere(pages: Talk) -> None:
    lines = [
        line
        for form in found(pages)
        for field in form.values
        for text in texts()
        if chosen(f"{form.name} {field}", text)
        for line in wrong(pages, form, field, text)
    ]
    assert not lines, "\n".join(lines)
