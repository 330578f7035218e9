"""API tokens: a program acts for a member with some of the member's permissions.

A token is `lst_`, 32 random bytes and a CRC-32 (both in base64url): secret scanners know it by its form, and a typing
error is told from a token that was revoked. It is shown once; the database has its SHA-256.
"""

import base64
import hashlib
import re
import secrets
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from leitstand.db.models import ApiToken, Membership, Person, Workspace
from leitstand.errors import Conflict, Forbidden, InvalidInput, NotFound, NotSignedIn
from leitstand.identity import audit
from leitstand.identity.access import PERMISSIONS, Principal, require, require_person
from leitstand.identity.membership import OWN_PERMISSIONS, holds, permissions_of, with_role
from leitstand.identity.people import checked_name, find_person
from leitstand.words import msg

PREFIX = "lst_"
RANDOM_BYTES = 32
FORM = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}[A-Za-z0-9_-]{6}")
START = len(PREFIX) + 4
MOST = 50
LONGEST_DAYS = 3_650
# Writing the last use at every request would make every request a write.
TOUCH_EVERY = timedelta(minutes=1)
AGAIN = "Make a new one on your profile page, or with `leitstand token create`."


@dataclass(frozen=True)
class Made:
    """A new token: `secret` is shown to its owner now and never again."""

    token: ApiToken
    secret: str


class InvalidToken(NotSignedIn):
    """The API token is malformed, unknown, expired or revoked, or its owner may no longer sign in."""

    title, kind = "The API token is not valid", "invalid-token"


def create(
    session: Session,
    *,
    principal: Principal,
    name: str,
    permissions: Collection[str],
    days: int | None = None,
) -> Made:
    """Make a token of the principal's own.

    Args:
        name: what it is for.
        permissions: some of those that the principal's role has.
        days: after how many it expires; None: never.

    Raises:
        InvalidInput: the name, a permission or the days are not fit.
        Forbidden: the role lacks a permission, or a token asks.
        Conflict: the person has too many.
    """
    require_person(principal)
    if principal.person_id is None:
        raise Forbidden("A token belongs to a person.", hint="Name the person whose token it is.")
    wanted = _checked(principal, permissions)
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise InvalidInput(msg("A token expires after 1 to {most:,} days, or never.", most=LONGEST_DAYS))
    if len(list_tokens(session, principal=principal)) >= MOST:
        raise Conflict(
            msg("You have {most} tokens already.", most=MOST), hint="Revoke those that are not used."
        )
    secret = _generate()
    token = ApiToken(
        workspace_id=principal.workspace_id,
        person_id=principal.person_id,
        name=checked_name(name),
        token_hash=_digest(secret),
        start=secret[:START],
        permissions=wanted,
        expires_at=None if days is None else datetime.now(UTC) + timedelta(days=days),
    )
    session.add(token)
    session.flush()
    after = {"name": token.name, "permissions": wanted, "person": str(token.person_id), "days": days}
    audit.record(session, principal=principal, action="token.create", target=f"token:{token.id}", after=after)
    return Made(token, secret)


def list_tokens(session: Session, *, principal: Principal) -> list[ApiToken]:
    """The principal's own tokens that are not revoked, expired ones too, newest first.

    Raises:
        Forbidden: a token asks.
    """
    require_person(principal)
    mine = select(ApiToken).where(*_of(principal), ApiToken.revoked_at.is_(None))
    return list(session.scalars(mine.order_by(ApiToken.created_at.desc(), ApiToken.id.desc())))


def revoke(session: Session, *, principal: Principal, token_id: UUID) -> None:
    """Revoke one of the principal's own tokens; it is refused from the end of the transaction on.

    Raises:
        NotFound: it is not theirs, or is revoked already.
        Forbidden: a token asks.
    """
    require_person(principal)
    ended = (
        update(ApiToken)
        .where(*_of(principal), ApiToken.id == token_id, ApiToken.revoked_at.is_(None))
        .values(revoked_at=func.now())
        .returning(ApiToken.name)
    )
    name = session.scalar(ended)
    if name is None:
        raise NotFound("There is no such token.", hint="It may have been revoked already.")
    before = {"name": name}
    audit.record(
        session, principal=principal, action="token.revoke", target=f"token:{token_id}", before=before
    )


def owner(session: Session, *, workspace_id: UUID, email: str, name: str) -> Principal:
    """A member as the command line acts for them; `name` is what the audit log says of who did it.

    Raises:
        NotFound: nobody of that workspace has this e-mail.
    """
    person = find_person(session, email)
    query = with_role(
        select(Membership.role, OWN_PERMISSIONS)
        .select_from(Membership)
        .where(Membership.workspace_id == workspace_id, Membership.person_id == person.id, holds())
    )
    row = session.execute(query).one_or_none()
    if row is None:
        raise NotFound(
            msg("{email} is not in this workspace.", email=email),
            hint="`leitstand person list` shows who is.",
        )
    role, own = row
    return Principal(person.id, workspace_id, name, "", role, permissions_of(role, own))


def authenticate(session: Session, secret: str) -> Principal:
    """Who a token acts for: with those of its permissions that the member's role has now.

    Raises:
        InvalidToken: it is malformed, unknown, expired or revoked, or its owner is disabled.
    """
    if not well_formed(secret):
        raise InvalidToken(
            "This is not a whole API token.",
            hint=msg("A token begins with {prefix}; copy it again, all of it.", prefix=PREFIX),
        )
    query = with_role(
        select(ApiToken, Person, Membership.role, Workspace, OWN_PERMISSIONS)
        .select_from(ApiToken)
        .join(Person, Person.id == ApiToken.person_id)
        .join(Workspace, Workspace.id == ApiToken.workspace_id)
        .join(
            Membership,
            (Membership.person_id == ApiToken.person_id) & (Membership.workspace_id == ApiToken.workspace_id),
        )
        .where(ApiToken.token_hash == _digest(secret), holds())
    )
    row = session.execute(query).one_or_none()
    if row is None:
        raise InvalidToken("No member has this API token.", hint=AGAIN)
    token, person, role, workspace, own = row
    _check_use(token, person)
    _touch(session, token)
    return Principal(
        person_id=person.id,
        workspace_id=workspace.id,
        name=person.name,
        email=person.email,
        role=role,
        permissions=permissions_of(role, own) & frozenset(token.permissions),
        workspace_name=workspace.name,
        zone=workspace.reporting_zone,
        own_zone=person.zone,
        language=person.language,
        theme=person.theme,
        token_id=token.id,
        token_name=token.name,
    )


def well_formed(secret: str) -> bool:
    """Whether this has a token's form and its checksum is right."""
    if not FORM.fullmatch(secret):
        return False
    return secrets.compare_digest(secret[-6:], _checksum(secret[:-6]))


def _check_use(token: ApiToken, person: Person) -> None:
    if token.revoked_at is not None:
        raise InvalidToken("This API token was revoked.", hint=AGAIN)
    if token.expires_at is not None and token.expires_at <= datetime.now(UTC):
        raise InvalidToken("This API token has expired.", hint=AGAIN)
    if person.disabled_at is not None:
        raise InvalidToken("The owner of this API token is disabled.", hint="Ask an owner of the workspace.")


def _touch(session: Session, token: ApiToken) -> None:
    """Note the use; a request that another one of the same token is noting does not wait for it."""
    now = datetime.now(UTC)
    if token.last_used_at is not None and now - token.last_used_at <= TOUCH_EVERY:
        return
    free = select(ApiToken.id).where(ApiToken.id == token.id).with_for_update(skip_locked=True)
    noted = update(ApiToken).where(ApiToken.id.in_(free)).values(last_used_at=now)
    session.execute(noted, execution_options={"synchronize_session": False})


def _checked(principal: Principal, permissions: Collection[str]) -> list[str]:
    wanted = [name for name in PERMISSIONS if name in permissions]
    unknown = sorted(set(permissions) - set(wanted))
    if unknown:
        raise InvalidInput(
            msg("There is no permission {unknown!r}.", unknown=unknown[0]),
            hint=msg("Permissions are: {permissions}.", permissions=", ".join(PERMISSIONS)),
        )
    if not wanted:
        raise InvalidInput("A token without a permission can do nothing.", hint="Choose at least one.")
    for name in wanted:
        require(principal, name)
    return wanted


def _of(principal: Principal) -> tuple[ColumnElement[bool], ...]:
    return (ApiToken.workspace_id == principal.workspace_id, ApiToken.person_id == principal.person_id)


def _generate() -> str:
    body = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    return body + _checksum(body)


def _checksum(text: str) -> str:
    return base64.urlsafe_b64encode(zlib.crc32(text.encode()).to_bytes(4)).decode().rstrip("=")


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
