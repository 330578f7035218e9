"""One's own account through the API: sessions, passkeys, a copy of one's data, its end; and single sign-on."""

import io
import zipfile
from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.db.models import Passkey, Person, SignInAttempt, UserSession
from tests.integration.api.conftest import Caller, Program
from tests.people import PASSWORD
from tests.receiver import Receiver, receiver

__all__ = ["receiver"]
SIGN_ON = "/integrations/sign-on"


def test_sessions_and_passkeys_are_listed_and_ended(
    call: Caller, call_as: Callable[[str], Caller], program: Callable[..., Program], session: Session
) -> None:
    [mine] = call("GET", "/me/sessions").json()
    assert mine["current"] and "token" not in str(mine)
    person_id, workspace_id = session.execute(select(UserSession.person_id, UserSession.workspace_id)).one()
    expires_at = session.scalars(select(UserSession.expires_at)).one()
    for token in (b"1", b"2"):
        session.add(
            UserSession(
                person_id=person_id,
                workspace_id=workspace_id,
                token_hash=token,
                expires_at=expires_at,
            )
        )
    session.add(Passkey(person_id=person_id, name="Key", credential=b"c", public_key=b"p"))
    session.commit()
    others = [one["id"] for one in call("GET", "/me/sessions").json() if not one["current"]]
    stranger = call_as("member")
    assert stranger("DELETE", f"/me/sessions/{others[0]}").status_code == 404
    assert call("DELETE", f"/me/sessions/{others[0]}").status_code == 204
    assert call("POST", "/me/sessions/end-others").json()["ended"] == 1
    assert [one["id"] for one in call("GET", "/me/sessions").json()] == [mine["id"]]
    [passkey] = call("GET", "/me/passkeys").json()
    assert passkey["name"] == "Key" and set(passkey) == {"id", "name", "created_at", "last_used_at"}
    robot = program("item:read")
    assert robot("DELETE", f"/me/passkeys/{passkey['id']}").status_code == 403, "no token reaches it"
    assert robot("GET", "/me/sessions").status_code == 403
    assert stranger("DELETE", f"/me/passkeys/{passkey['id']}").status_code == 404
    assert call("DELETE", f"/me/passkeys/{passkey['id']}").status_code == 204
    assert call("GET", "/me/passkeys").json() == []


def test_ones_data_is_taken_along_and_the_account_ends(
    call: Caller, call_as: Callable[[str], Caller], session: Session
) -> None:
    member = call_as("member")
    copy = member("GET", "/me/export")
    assert copy.headers["content-type"] == "application/zip" and copy.headers["cache-control"] == "no-store"
    assert "README.txt" in zipfile.ZipFile(io.BytesIO(copy.content)).namelist()
    refused = member("POST", "/me/delete", {"password": "wrong"})
    assert refused.status_code == 422 and refused.headers["content-type"] == "application/problem+json"
    assert session.scalars(select(SignInAttempt)).all(), "it is counted"
    assert member("POST", "/me/delete", {"password": PASSWORD}).status_code == 204
    assert member("GET", "/me").status_code == 401
    assert call("POST", "/me/delete", {"password": PASSWORD}).status_code == 409, "the last owner stays"
    session.expire_all()
    emails = session.scalars(select(Person.email)).all()
    assert not any(one.startswith("member@") for one in emails)


def test_single_sign_on_is_set_up(call: Caller, call_as: Callable[[str], Caller], receiver: Receiver) -> None:
    assert call("GET", SIGN_ON).status_code == 404
    new = {
        "name": "House",
        "issuer": receiver.url,
        "client": "leitstand",
        "secret": "never-shown",
        "domains": ["example.org"],
    }
    saved = call("PUT", SIGN_ON, new)
    assert saved.status_code == 200 and saved.json()["redirect"].startswith("http")
    receiver.status = 500
    assert call("POST", f"{SIGN_ON}/test").json()["check_problem"]
    changed = call("PUT", SIGN_ON, new | {"secret": "", "name": "Ours", "domains": ["example.com"]})
    assert (changed.json()["name"], changed.json()["domains"]) == ("Ours", ["example.com"])
    assert "never-shown" not in saved.text + call("GET", SIGN_ON).text
    assert call_as("member")("GET", SIGN_ON).status_code == 403
    assert call("DELETE", SIGN_ON).status_code == 204 and call("GET", SIGN_ON).status_code == 404
