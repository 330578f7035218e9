"""The profile page with everything on it, for every form that is sent from it and comes back."""

from datetime import UTC, datetime
from typing import Any

from fastapi import Request, Response
from sqlalchemy.orm import Session

from leitstand.identity import one_time_codes, passkeys, people, sessions, tokens
from leitstand.identity.access import PERMISSIONS, Principal
from leitstand.identity.confirming import myself
from leitstand.identity.workspaces import zone_names
from leitstand.mail.settings import mail_off
from leitstand.settings import get_settings
from leitstand.words import LANGUAGES
from web.pages import render

ADDRESS = "/settings/profile"
# Days after which a token may be chosen to expire; 0: never.
LIFETIMES = (30, 90, 365, 0)


def profile_page(
    request: Request, session: Session, principal: Principal, *, code: int = 200, **more: Any
) -> Response:
    """The page; `more` is what a form had in it and what was wrong with it."""
    person = myself(session, principal)
    shown = {
        "person": person, "name": person.name, "own_language": person.language, "own_zone": person.zone, "own_theme": person.theme,
        "sign_in_mails": person.sign_in_mails, "has_password": person.password_hash is not None,
        "profile_error": None, "password_error": None, "code_error": None, "passkey_error": None,
        "token_error": None, "made": None, "token_name": "", "passkey_name": "", "chosen": [], "days": 90,
    } | more  # fmt: skip
    return render(
        request,
        principal,
        "profile.html",
        area="profile",
        code=code,
        themes=people.THEMES,
        languages=("", *LANGUAGES),
        zones=zone_names(),
        sessions=sessions.list_sessions(session, principal=principal),
        codes=one_time_codes.status(session, principal=principal),
        passkeys=passkeys.list_passkeys(session, principal=principal),
        passkeys_unavailable=passkeys.unavailable(),
        tokens=tokens.list_tokens(session, principal=principal),
        grantable={name: text for name, text in PERMISSIONS.items() if principal.may(name)},
        lifetimes=LIFETIMES,
        mail_sent=not mail_off(get_settings()),
        now=datetime.now(UTC),
        **shown,
    )
