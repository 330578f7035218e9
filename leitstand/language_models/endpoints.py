"""Which of a workspace's endpoints is asked for a model."""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.db.models import ModelEndpoint
from leitstand.identity.sealed import place_of_endpoint
from leitstand.identity.sealing import open_sealed


@dataclass(frozen=True)
class Target:
    """A model at an endpoint, with the key that opens it; prices are of a million tokens, in millionths of the currency."""

    endpoint_id: UUID
    name: str
    base_url: str
    key: str = field(repr=False)
    model: str
    prompt_price: int = 0
    completion_price: int = 0


def choose(session: Session, workspace_id: UUID, model: str = "") -> Target | None:
    """Where a model is asked: the default endpoint before others, those by name; None where nobody offers it.

    Args:
        model: its name; empty: the first one of the first endpoint that has any.
    """
    query = select(ModelEndpoint).where(ModelEndpoint.workspace_id == workspace_id, ModelEndpoint.active)
    query = query.order_by(ModelEndpoint.is_default.desc(), ModelEndpoint.name)
    for endpoint in session.scalars(query):
        if model in endpoint.models:
            return _target(endpoint, model)
        if not model and endpoint.models:
            return _target(endpoint, endpoint.models[0])
    return None


def embedder(session: Session, workspace_id: UUID) -> Target | None:
    """Where a workspace has its passages turned into vectors; None where our own model does it."""
    query = select(ModelEndpoint).where(
        ModelEndpoint.workspace_id == workspace_id, ModelEndpoint.active, ModelEndpoint.embeds != ""
    )
    endpoint = session.scalar(query)
    return _target(endpoint, endpoint.embeds) if endpoint else None


def _target(endpoint: ModelEndpoint, model: str) -> Target:
    key = open_sealed(endpoint.secret, place=place_of_endpoint(endpoint.id)) if endpoint.secret else ""
    return Target(
        endpoint_id=endpoint.id,
        name=endpoint.name,
        base_url=endpoint.base_url,
        key=key,
        model=model,
        prompt_price=endpoint.prompt_price,
        completion_price=endpoint.completion_price,
    )
