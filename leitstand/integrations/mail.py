"""Whether mail goes out, tried with a message to whoever asks."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.db.models import AuditEntry
from leitstand.db.models.base import new_id
from leitstand.errors import InvalidInput, LeitstandError
from leitstand.identity import audit
from leitstand.identity.access import Principal, require, require_person
from leitstand.mail.message import Letter, build
from leitstand.mail.settings import mail_off
from leitstand.mail.smtp import deliver
from leitstand.settings import get_settings
from leitstand.words import DEFAULT, N_, translate

ACTION = "mail.test"


def send_test(session: Session, *, principal: Principal) -> str:
    """Send the principal a message; what was wrong, empty where nothing was. The audit log keeps both.

    Raises:
        InvalidInput: mail is off, or the principal has no e-mail address.
        Forbidden: without `workspace:manage`, or with a token.
    """
    require(principal, "workspace:manage")
    require_person(principal)
    settings = get_settings()
    if off := mail_off(settings):
        raise InvalidInput(off, hint=N_("The operator sets it; docs/reference/settings.md says how."))
    if not principal.email:
        raise InvalidInput(N_("You have no e-mail address."))
    language = principal.language or DEFAULT
    text = N_("Mail goes out: you asked for this message on the page Integrations.")
    letter = Letter(
        subject=translate(N_("Test of Leitstand's mail"), language),
        paragraphs=(translate(text, language),),
        link=f"{settings.base_url}/settings/integrations",
        action=translate(N_("Open Integrations"), language),
        language=language,
    )
    problem = ""
    try:
        identity = f"test-{new_id()}"
        deliver(
            settings, build(settings, letter, name=principal.name, email=principal.email, identity=identity)
        )
    except LeitstandError as error:
        problem = f"{error.message} {error.hint}".strip()
    audit.record(session, principal=principal, action=ACTION, after={"problem": problem})
    return problem


def last_test(session: Session, *, principal: Principal) -> tuple[datetime, str] | None:
    """When the workspace last tried, and what was wrong then.

    Raises:
        Forbidden: without `workspace:manage`.
    """
    require(principal, "workspace:manage")
    query = select(AuditEntry.at, AuditEntry.after).where(
        AuditEntry.workspace_id == principal.workspace_id, AuditEntry.action == ACTION
    )
    row = session.execute(query.order_by(AuditEntry.at.desc()).limit(1)).first()
    return (row.at, str((row.after or {}).get("problem", ""))) if row else None
