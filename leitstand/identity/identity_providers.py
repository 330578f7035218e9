"""Where a workspace's people sign in with OpenID Connect: kept, checked and removed by those who manage it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.db.models import IdentityProvider
from leitstand.db.models.base import new_id
from leitstand.errors import Forbidden, InvalidInput, LeitstandError, NotFound
from leitstand.identity import audit, openid
from leitstand.identity.access import EXTERNAL, ROLES, Principal, require, require_person
from leitstand.identity.people import checked_name
from leitstand.identity.sealed import place_of_client
from leitstand.identity.sealing import open_sealed, seal
from leitstand.settings import get_settings
from leitstand.words import msg

CALLBACK = "/sign-in/callback"
LONGEST = 500
MOST_DOMAINS = 50


@dataclass(frozen=True)
class Draft:
    """What is entered; an empty secret leaves the one that is there."""

    name: str
    issuer: str
    client: str
    secret: str = ""
    domains: Sequence[str] = ()
    default_role: str = "member"
    admits_unknown: bool = False

    def __repr__(self) -> str:
        return f"Draft({self.name!r}, {self.issuer!r})"


def redirect_address() -> str:
    """What the provider must be told of us: where it sends browsers back to."""
    return f"{get_settings().base_url}{CALLBACK}"


def roles_to_give(principal: Principal) -> list[str]:
    """Roles that newcomers may be given: none of an owner or of somebody outside, and no more than the principal has."""
    return [
        role
        for role, permissions in ROLES.items()
        if role not in {"owner", EXTERNAL} and permissions <= principal.permissions
    ]


def get(session: Session, *, principal: Principal) -> IdentityProvider | None:
    """The workspace's own, if there is one.

    Raises:
        Forbidden: without `workspace:manage`.
    """
    require(principal, "workspace:manage")
    query = select(IdentityProvider).where(IdentityProvider.workspace_id == principal.workspace_id)
    return session.scalar(query)


def offered(session: Session) -> list[tuple[UUID, str]]:
    """Id and name of every provider, for the sign-in page."""
    query = select(IdentityProvider.id, IdentityProvider.name)
    return [(row.id, row.name) for row in session.execute(query.order_by(func.lower(IdentityProvider.name)))]


def save(session: Session, *, principal: Principal, draft: Draft) -> IdentityProvider:
    """Make or change the workspace's identity provider.

    Raises:
        InvalidInput: a field is not fit.
        Forbidden: without `workspace:manage`, with a token, or the role is one that the principal may not give.
    """
    require(principal, "workspace:manage")
    require_person(principal)
    values = _checked(principal, draft)
    provider = get(session, principal=principal)
    before = _shown(provider) if provider else {}
    if provider is None:
        provider = IdentityProvider(id=new_id(), workspace_id=principal.workspace_id, **values)
        session.add(provider)
    # A secret belongs to the issuer that gave it: it is never sent to another one.
    elif provider.issuer != values["issuer"] and provider.secret is not None and not draft.secret:
        raise InvalidInput(
            "The secret is of the issuer before.", hint="Enter the new issuer's secret as well."
        )
    for field, value in values.items():
        setattr(provider, field, value)
    if draft.secret.strip():
        provider.secret = seal(draft.secret.strip(), place=place_of_client(provider.id))
    provider.updated_at, provider.checked_at, provider.check_problem = datetime.now(UTC), None, ""
    session.flush()
    old, new = audit.changed(before, _shown(provider) | {"new_secret": bool(draft.secret.strip())})
    audit.record(
        session,
        principal=principal,
        action="sign-on.save",
        target=f"provider:{provider.id}",
        before=old,
        after=new,
    )
    return provider


def remove(session: Session, *, principal: Principal) -> None:
    """Take it away; who signed in with it can't any more, and keeps account and work.

    Raises:
        NotFound: there is none.
        Forbidden: without `workspace:manage`, or with a token.
    """
    require(principal, "workspace:manage")
    require_person(principal)
    provider = get(session, principal=principal)
    if provider is None:
        raise NotFound("No single sign-on is set up.")
    audit.record(
        session,
        principal=principal,
        action="sign-on.remove",
        target=f"provider:{provider.id}",
        before=_shown(provider),
    )
    session.delete(provider)


def test(session: Session, *, principal: Principal) -> str:
    """Fetch discovery document and keys, and keep what is wrong; empty where nothing is.

    Raises:
        NotFound: there is none.
        Forbidden: without `workspace:manage`.
    """
    provider = get(session, principal=principal)
    if provider is None:
        raise NotFound("No single sign-on is set up.", hint="Save it first.")
    provider.checked_at, provider.check_problem = datetime.now(UTC), _problem(provider)
    return provider.check_problem


def client_of(provider: IdentityProvider) -> openid.Client:
    """Who we are to a provider."""
    secret = open_sealed(provider.secret, place=place_of_client(provider.id)) if provider.secret else ""
    return openid.Client(provider.client, secret, redirect_address())


def _problem(provider: IdentityProvider) -> str:
    try:
        client_of(provider)
        openid.fetch_keys(openid.discover(provider.issuer))
    except LeitstandError as error:
        return error.said
    return ""


def _checked(principal: Principal, draft: Draft) -> dict[str, object]:
    issuer, client = draft.issuer.strip(), draft.client.strip()
    if not issuer.startswith(("https://", "http://")) or len(issuer) > LONGEST or set(issuer) & set("?# "):
        raise InvalidInput(
            "The issuer is not a web address.", hint="It looks like https://login.example.org."
        )
    if not client or len(client) > LONGEST or not client.isprintable():
        raise InvalidInput("The client id is empty or too long.", hint="The provider shows it.")
    if len(draft.secret) > LONGEST or not draft.secret.isprintable():
        raise InvalidInput("The secret is too long, or has characters in it that can't be typed.")
    if draft.default_role not in roles_to_give(principal):
        raise Forbidden(
            msg("You may not give the role {default_role!r}.", default_role=draft.default_role),
            hint="Choose another one.",
        )
    domains = _checked_domains(draft.domains)
    if not domains:
        raise InvalidInput(
            "No e-mail domain is named.", hint="Name those of your organisation, as example.org."
        )
    return {
        "name": checked_name(draft.name), "issuer": issuer, "client": client, "domains": domains,
        "default_role": draft.default_role, "admits_unknown": draft.admits_unknown,
    }  # fmt: skip


def _checked_domains(domains: Sequence[str]) -> list[str]:
    found = sorted({one.strip().lower().removeprefix("@") for one in domains if one.strip()})
    for one in found:
        if "@" in one or "." not in one.strip(".") or not one.replace("-", "").replace(".", "").isalnum():
            raise InvalidInput(
                msg("{one!r} is not a domain.", one=one[:100]), hint="It looks like example.org."
            )
    if len(found) > MOST_DOMAINS:
        raise InvalidInput(msg("At most {most_domains} domains can be named.", most_domains=MOST_DOMAINS))
    return found


def _shown(provider: IdentityProvider) -> dict[str, object]:
    """What the audit log keeps; never the secret."""
    names = ("name", "issuer", "client", "domains", "default_role", "admits_unknown")
    return {name: getattr(provider, name) for name in names}
