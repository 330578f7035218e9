"""API tokens on the profile page: made, shown once, revoked."""

import re
from collections.abc import Callable

from sqlalchemy.orm import Session

from leitstand.errors import NotSignedIn
from leitstand.identity import tokens
from tests.people import HTML, Visitor

PAGE = "/settings/profile"
TOKEN = re.compile(r'id="made-token"[^>]* value="([^"]+)"')


def make(visitor: Visitor, **fields: object) -> object:
    given = {"csrf": visitor.csrf, "token_name": "Shop <b>", "permission": ["events:write"], "days": "30"}
    return visitor.client.post(f"{PAGE}/tokens", data=given | fields, headers=HTML)


def test_a_token_is_shown_once_and_can_be_revoked(visitor: Visitor, session: Session) -> None:
    assert "No token yet" in visitor.get(PAGE).text
    made = make(visitor)
    assert (made.status_code, made.headers["cache-control"]) == (200, "no-store")
    found = TOKEN.search(made.text)
    assert found
    principal = tokens.authenticate(session, found[1])
    session.commit()
    assert principal.permissions == {"events:write"}
    again = visitor.get(PAGE).text
    assert found[1] not in again
    assert "Shop &lt;b&gt;" in again and "No token yet" not in again
    assert visitor.post(f"{PAGE}/tokens/{principal.token_id}/revoke").status_code == 303
    assert "No token yet" in visitor.get(PAGE).text
    session.expire_all()
    try:
        tokens.authenticate(session, found[1])
    except NotSignedIn as refused:
        assert "revoked" in refused.message
    else:
        raise AssertionError("a revoked token was taken")


def test_what_is_not_fit_is_said_beside_what_was_typed(visitor: Visitor) -> None:
    refused = make(visitor, permission=[], days="365")
    assert refused.status_code == 422
    assert "can do nothing" in refused.text
    assert 'value="Shop &lt;b&gt;"' in refused.text
    assert '<option value="365" selected>' in refused.text


def test_nobody_gives_more_than_they_have(visitor_as: Callable[[str], Visitor]) -> None:
    analyst = visitor_as("analyst")
    assert 'value="events:write"' not in analyst.get(PAGE).text
    assert make(analyst).status_code == 403
    assert "No token yet" in analyst.get(PAGE).text


def test_a_form_of_another_site_makes_no_token(visitor: Visitor) -> None:
    assert make(visitor, csrf="x").status_code == 403
    assert "No token yet" in visitor.get(PAGE).text
