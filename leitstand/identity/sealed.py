"""Every sealed secret of the database, and sealing them all again with today's key."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.db.models import IdentityProvider, ModelEndpoint, OneTimeCode, S3Import, Tool, Webhook
from leitstand.identity.sealing import is_current, open_sealed, seal
from leitstand.settings import Settings


def place_of_code(person_id: UUID) -> str:
    """Where the secret of a person's one-time codes is stored."""
    return f"one_time_code.secret:{person_id}"


def place_of_client(provider_id: UUID) -> str:
    """Where the secret of our client at an identity provider is stored."""
    return f"identity_provider.secret:{provider_id}"


def place_of_webhook(webhook_id: UUID) -> str:
    """Where the secret that signs what a webhook is sent is stored."""
    return f"webhook.secret:{webhook_id}"


def place_of_earlier(webhook_id: UUID) -> str:
    """Where a webhook's secret from before its rotation is stored."""
    return f"webhook.earlier_secret:{webhook_id}"


def place_of_endpoint(endpoint_id: UUID) -> str:
    """Where the key of a model endpoint is stored."""
    return f"model_endpoint.secret:{endpoint_id}"


def place_of_import(import_id: UUID) -> str:
    """Where the secret key to the bucket of an import is stored."""
    return f"s3_import.secret:{import_id}"


def place_of_tool(tool_id: UUID) -> str:
    """Where what a tool signs in with is stored."""
    return f"tool.secret:{tool_id}"


def seal_again(session: Session, settings: Settings) -> int:
    """Seal what earlier keys have sealed with today's key; how many there were.

    In the caller's transaction: a value that does not open stops all of it.

    Args:
        settings: those that hold the keys.

    Raises:
        IntegrityFailed: one does not open.
    """
    count = 0
    for row, column, place in _sealed(session):
        value = getattr(row, column)
        if not is_current(value, settings=settings):
            plain = open_sealed(value, place=place, settings=settings)
            setattr(row, column, seal(plain, place=place, settings=settings))
            count += 1
    session.flush()
    return count


def _sealed(session: Session) -> Iterator[tuple[Any, str, str]]:
    """Row, column and place of each, the rows locked."""
    for code in session.scalars(select(OneTimeCode).with_for_update()):
        yield code, "secret", place_of_code(code.person_id)
    provided = select(IdentityProvider).where(IdentityProvider.secret.is_not(None))
    for provider in session.scalars(provided.with_for_update()):
        yield provider, "secret", place_of_client(provider.id)
    for webhook in session.scalars(select(Webhook).with_for_update()):
        yield webhook, "secret", place_of_webhook(webhook.id)
        if webhook.earlier_secret is not None:
            yield webhook, "earlier_secret", place_of_earlier(webhook.id)
    keyed = select(ModelEndpoint).where(ModelEndpoint.secret.is_not(None))
    for endpoint in session.scalars(keyed.with_for_update()):
        yield endpoint, "secret", place_of_endpoint(endpoint.id)
    for imported in session.scalars(select(S3Import).with_for_update()):
        yield imported, "secret", place_of_import(imported.id)
    signed_in = select(Tool).where(Tool.secret.is_not(None))
    for tool in session.scalars(signed_in.with_for_update()):
        yield tool, "secret", place_of_tool(tool.id)
