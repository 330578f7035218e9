"""Signing in with a workspace's identity provider: there with `start`, back with `claim`, `identify` and `conclude`.

Cut in parts so that no transaction is open while another machine is asked. Why somebody is not let in is logged and
never told: all refusals are alike.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.db.models import IdentityLink, IdentityProvider, Membership, Person
from leitstand.errors import InvalidInput, LeitstandError, LimitReached, NotFound
from leitstand.identity import audit, openid, steps
from leitstand.identity.access import Principal, system_principal
from leitstand.identity.identity_providers import client_of
from leitstand.identity.people import NAME_LENGTH, checked_email, checked_name
from leitstand.identity.second_step import open_or_ask
from leitstand.identity.security_mail import tell
from leitstand.identity.sessions import SignedIn, SignInFailed
from leitstand.limits.room import require_room
from leitstand.telemetry.logs import get_logger
from leitstand.words.lines import one_line

BY = "single sign-on"
SUBJECT_LENGTH = 255
log = get_logger("sign-on")


@dataclass(frozen=True)
class Way:
    """The way to a provider and back: what the browser's step keeps."""

    provider_id: UUID
    workspace_id: UUID
    issuer: str
    client: openid.Client
    state: str
    nonce: str
    verifier: str
    back: str


def prepare(session: Session, *, provider_id: UUID, back: str) -> Way:
    """What is needed to go to a provider.

    Args:
        back: the path to go to in the end.

    Raises:
        NotFound: there is no such provider.
    """
    provider = session.get(IdentityProvider, provider_id)
    if provider is None:
        raise NotFound("There is no such sign-on.", hint="Sign in on the page /sign-in.")
    # A verifier of 43 letters and more (RFC 7636).
    state, nonce, verifier = (secrets.token_urlsafe(48) for _ in range(3))
    return Way(
        provider.id, provider.workspace_id, provider.issuer, client_of(provider), state, nonce, verifier, back
    )


def address(way: Way) -> str:
    """Where the browser goes; asks the provider.

    Raises:
        SignInFailed: the provider can't be used now; why is logged.
    """
    try:
        found = openid.discover(way.issuer)
        return openid.way_there(found, way.client, state=way.state, nonce=way.nonce, verifier=way.verifier)
    except LeitstandError as error:
        raise _failed(way, error.message) from error


def begin(session: Session, way: Way, *, previous_token: str | None = None) -> str:
    """Bind a way to the browser; gives the token for its cookie."""
    data = {
        "provider": str(way.provider_id), "issuer": way.issuer, "state": way.state, "nonce": way.nonce,
        "verifier": way.verifier, "back": way.back,
    }  # fmt: skip
    return steps.begin(session, steps.SINGLE_SIGN_ON, data=data, previous_token=previous_token)


def claim(session: Session, *, token: str | None, state: str) -> Way:
    """The way that this browser has begun, once.

    Raises:
        StepExpired: this browser has begun none with that state, or too long ago, or the provider was changed since.
    """
    kept = steps.take(session, steps.SINGLE_SIGN_ON, token).data
    provider = session.get(IdentityProvider, UUID(kept["provider"]))
    same = hmac.compare_digest(kept["state"].encode(), state.encode("utf-8", "replace"))
    if not same or provider is None or provider.issuer != kept["issuer"]:
        raise steps.StepExpired("This took too long, or was begun elsewhere.", hint="Begin again.")
    return Way(
        provider.id, provider.workspace_id, provider.issuer, client_of(provider),
        kept["state"], kept["nonce"], kept["verifier"], kept["back"],
    )  # fmt: skip


def identify(way: Way, *, code: str, issuer: str = "") -> openid.Identity:
    """Ask the provider who it is.

    Args:
        code: that the browser brought back.
        issuer: who the browser says it comes from (RFC 9207); empty where it does not say.

    Raises:
        SignInFailed: the provider refuses, can't be reached, or its token does not hold; why is logged.
    """
    if not code or (issuer and issuer != way.issuer):
        raise _failed(way, "no code came back, or from another issuer")
    try:
        return openid.identify(
            way.client, issuer=way.issuer, code=code, verifier=way.verifier, nonce=way.nonce
        )
    except LeitstandError as error:
        raise _failed(way, error.message) from error


def conclude(
    session: Session,
    way: Way,
    identity: openid.Identity,
    *,
    user_agent: str,
    previous_token: str | None = None,
) -> SignedIn:
    """Sign in who that is: whom they were linked to, or who has their verified e-mail here, or somebody new.

    Raises:
        SignInFailed: nobody of the workspace, or they are disabled; why is logged.
        CodeNeeded: they use one-time codes.
    """
    provider = session.get(IdentityProvider, way.provider_id)
    if provider is None or not 0 < len(identity.subject) <= SUBJECT_LENGTH:
        raise _failed(way, "the provider was removed meanwhile, or names nobody")
    link = _link(session, provider, identity) or _new_link(session, way, provider, identity)
    link.last_used_at = datetime.now(UTC)
    try:
        return open_or_ask(
            session,
            person_id=link.person_id,
            workspace_id=provider.workspace_id,
            user_agent=user_agent,
            by=BY,
            previous_token=previous_token,
        )
    except SignInFailed as error:
        raise _failed(way, "disabled, or no member any more") from error


def _link(session: Session, provider: IdentityProvider, identity: openid.Identity) -> IdentityLink | None:
    query = select(IdentityLink).where(
        IdentityLink.workspace_id == provider.workspace_id,
        IdentityLink.issuer == identity.issuer,
        IdentityLink.subject == identity.subject,
    )
    return session.scalar(query)


def _new_link(
    session: Session, way: Way, provider: IdentityProvider, identity: openid.Identity
) -> IdentityLink:
    """Link by e-mail, where the provider has verified it and the workspace named its domain."""
    if not identity.email_verified or identity.email.rpartition("@")[2] not in provider.domains:
        raise _failed(way, "the e-mail is not verified, or not of a domain that is named")
    person = session.scalar(select(Person).where(func.lower(Person.email) == identity.email))
    if person is not None:
        _check_ours(session, way, provider, person)
    elif provider.admits_unknown:
        person = _admit(session, way, provider, identity)
    else:
        raise _failed(way, "nobody has this e-mail, and unknown people are not let in")
    link = IdentityLink(
        workspace_id=provider.workspace_id,
        person_id=person.id,
        issuer=identity.issuer,
        subject=identity.subject,
    )
    session.add(link)
    session.flush()
    who = Principal(person.id, provider.workspace_id, person.name, person.email, "", frozenset())
    audit.record(
        session,
        principal=who,
        action="sign-on.link",
        target=f"person:{person.id}",
        after={"issuer": link.issuer},
    )
    tell(session, person_id=person.id, event="linked")
    return link


def _check_ours(session: Session, way: Way, provider: IdentityProvider, person: Person) -> None:
    """Who belongs to another workspace too is not linked: this workspace's provider must not open that one."""
    query = select(Membership.workspace_id).where(Membership.person_id == person.id)
    if person.disabled_at is not None or set(session.scalars(query)) != {provider.workspace_id}:
        raise _failed(way, "disabled, no member, or a member of another workspace as well")


def _admit(session: Session, way: Way, provider: IdentityProvider, identity: openid.Identity) -> Person:
    """Somebody new, without a password, in the role for newcomers; where the plan has room for them."""
    try:
        require_room(session, provider.workspace_id, "members")
    except LimitReached as error:
        raise _failed(way, "the plan has no room for another member") from error
    try:
        email = checked_email(identity.email)
        name = checked_name(one_line(identity.name, NAME_LENGTH) or email)
    except InvalidInput as error:
        raise _failed(way, "the e-mail or the name is not fit") from error
    person = Person(email=email, name=name, password_hash=None)
    session.add(person)
    session.flush()
    session.add(
        Membership(workspace_id=provider.workspace_id, person_id=person.id, role=provider.default_role)
    )
    audit.record(
        session,
        principal=system_principal(provider.workspace_id, BY),
        action="person.create",
        target=f"person:{person.id}",
        after={"email": email, "name": name, "role": provider.default_role},
    )
    session.flush()
    return person


def _failed(way: Way, why: str) -> SignInFailed:
    log.warning("not signed in", provider=str(way.provider_id), why=why)
    return SignInFailed(
        "Your organisation's sign-on did not let you in.", hint="Ask an owner or admin of your workspace."
    )
