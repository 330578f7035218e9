"""Jobs of this area."""

from uuid import UUID

from leitstand.jobs.registry import job


@job("identity.reset-mail", first_wait=10)
def mail_reset(*, reset_id: str) -> None:
    """Send the link to a new password; nothing where nobody has the e-mail that was asked for."""
    from leitstand.identity.mailing import send_reset

    send_reset(UUID(reset_id))


@job("identity.security-mail", first_wait=10)
def mail_security(*, person_id: str, event: str) -> None:
    """Tell a person what was changed about how they sign in."""
    from leitstand.identity.mailing import send_security

    send_security(UUID(person_id), event)


MAIL_ATTEMPTS = 8


@job("identity.invite", attempts=MAIL_ATTEMPTS, lock="invitation-{invitation_id}", first_wait=30)
def mail_invitation(*, invitation_id: str) -> None:
    """Send an invitation by mail, unless it was accepted or revoked meanwhile."""
    from leitstand.db.engine import get_engine
    from leitstand.identity.invitation_mail import send
    from leitstand.settings import get_settings

    send(get_engine(), get_settings(), invitation_id=UUID(invitation_id))
