"""Where models are asked (OpenAI's form): stored and tested here, for agents to use."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from leitstand.db.models import Embedding, ModelEndpoint
from leitstand.db.models.base import new_id
from leitstand.errors import Conflict, InvalidInput, NotFound
from leitstand.identity import audit
from leitstand.identity.access import Principal, require
from leitstand.identity.people import checked_name
from leitstand.identity.sealed import place_of_endpoint
from leitstand.identity.sealing import open_sealed, seal
from leitstand.integrations import servers
from leitstand.integrations.addresses import checked_url
from leitstand.integrations.prices import checked_price, price_text
from leitstand.jobs.queue import enqueue
from leitstand.outgoing.fetching import Answer, fetch
from leitstand.words import msg

SECONDS = 10.0
LONGEST_KEY, LONGEST_MODEL, MOST_MODELS = 500, 200, 200
REFUSED = frozenset({401, 403})
EMBED_AGAIN = "knowledge.vectors"


@dataclass(frozen=True)
class Draft:
    """What is entered; an empty key leaves the one that is there.

    `prompt_price` and `completion_price` are of a million tokens, in the currency of the workspace's plan, such as 0.15.
    `embeds` is the model that makes the vectors of the workspace's passages; empty: this endpoint makes none.
    """

    name: str
    base_url: str
    key: str = field(default="", repr=False)
    models: Sequence[str] = ()
    is_default: bool = False
    active: bool = True
    prompt_price: str = "0"
    completion_price: str = "0"
    embeds: str = ""


def list_endpoints(session: Session, *, principal: Principal) -> list[ModelEndpoint]:
    """The workspace's own, by name.

    Raises:
        Forbidden: without `workspace:manage`.
    """
    require(principal, "workspace:manage")
    query = select(ModelEndpoint).where(ModelEndpoint.workspace_id == principal.workspace_id)
    return list(session.scalars(query.order_by(ModelEndpoint.name)))


def get(session: Session, *, principal: Principal, endpoint_id: UUID) -> ModelEndpoint:
    """One of the workspace's own.

    Raises:
        NotFound: there is none of that id here.
        Forbidden: without `workspace:manage`.
    """
    require(principal, "workspace:manage")
    query = select(ModelEndpoint).where(
        ModelEndpoint.workspace_id == principal.workspace_id, ModelEndpoint.id == endpoint_id
    )
    endpoint = session.scalar(query)
    if endpoint is None:
        raise NotFound("There is no such model endpoint.")
    return endpoint


def create(session: Session, *, principal: Principal, draft: Draft) -> ModelEndpoint:
    """Add an endpoint.

    Raises:
        InvalidInput: a field is not fit.
        Conflict: the name is taken.
        Forbidden: without `workspace:manage`.
    """
    require(principal, "workspace:manage")
    endpoint = ModelEndpoint(
        id=new_id(), workspace_id=principal.workspace_id, created_by=principal.actor, **_checked(draft)
    )
    _check_name(session, endpoint, endpoint.name)
    _keep_key(endpoint, draft.key)
    _only_default(session, endpoint)
    session.add(endpoint)
    session.flush()
    if endpoint.embeds and endpoint.active:
        _embed_again(session, endpoint)
    after = _shown(endpoint) | {"new_key": bool(draft.key.strip())}
    _record(session, principal, "model-endpoint.create", endpoint, None, after)
    return endpoint


def update_endpoint(
    session: Session, *, principal: Principal, endpoint_id: UUID, draft: Draft
) -> ModelEndpoint:
    """Change an endpoint, or rotate its key.

    Raises:
        InvalidInput: a field is not fit, or the key would go to another server than it was entered for.
        Conflict: the name is taken.
        NotFound: there is none of that id here.
        Forbidden: without `workspace:manage`.
    """
    endpoint = get(session, principal=principal, endpoint_id=endpoint_id)
    values, before, embedded = _checked(draft), _shown(endpoint), _embedding(endpoint)
    servers.require_key_of(
        values["base_url"], before=endpoint.base_url, has_key=endpoint.secret is not None, key=draft.key
    )
    _check_name(session, endpoint, values["name"])
    with session.no_autoflush:
        for name, value in values.items():
            setattr(endpoint, name, value)
        _only_default(session, endpoint)
    _keep_key(endpoint, draft.key)
    servers.unchecked(endpoint)
    session.flush()
    if _embedding(endpoint) != embedded:
        _embed_again(session, endpoint)
    old, new = audit.changed(before, _shown(endpoint) | {"new_key": bool(draft.key.strip())})
    _record(session, principal, "model-endpoint.update", endpoint, old, new)
    return endpoint


def remove(session: Session, *, principal: Principal, endpoint_id: UUID) -> None:
    """Take an endpoint away, with its key.

    Raises:
        NotFound: there is none of that id here.
        Forbidden: without `workspace:manage`.
    """
    endpoint = get(session, principal=principal, endpoint_id=endpoint_id)
    before = _shown(endpoint)
    session.delete(endpoint)
    session.flush()
    if endpoint.embeds and endpoint.active:
        _embed_again(session, endpoint)
    _record(session, principal, "model-endpoint.remove", endpoint, before, None)


def test(session: Session, *, principal: Principal, endpoint_id: UUID) -> str:
    """Ask the endpoint for its models, and keep what is wrong; empty where nothing is.

    Raises:
        NotFound: there is none of that id here.
        Forbidden: without `workspace:manage`.
    """
    endpoint = get(session, principal=principal, endpoint_id=endpoint_id)
    return servers.check(endpoint, lambda: _wrong(endpoint))


def _wrong(endpoint: ModelEndpoint) -> str:
    """What an endpoint lacks; one without models gets those that it offers."""
    found = _offered(endpoint)
    if missing := [name for name in endpoint.models if name not in found]:
        return msg("It does not offer {names}.", names=", ".join(missing[:5]))
    endpoint.models = endpoint.models or found[:MOST_MODELS]
    return ""


def _offered(endpoint: ModelEndpoint) -> list[str]:
    headers = {"Accept": "application/json"}
    if endpoint.secret is not None:
        key = open_sealed(endpoint.secret, place=place_of_endpoint(endpoint.id))
        headers["Authorization"] = f"Bearer {key}"
    address = f"{endpoint.base_url.rstrip('/')}/models"
    return _names(fetch(address, headers=headers, seconds=SECONDS, redirects=0))


def _names(answer: Answer) -> list[str]:
    if answer.status in REFUSED:
        raise InvalidInput(
            msg("The endpoint refuses the key ({status}).", status=answer.status), hint="Enter another one."
        )
    if not answer.ok:
        raise InvalidInput(
            msg("The endpoint answers {status}.", status=answer.status),
            hint="Check the address: /models is asked below it.",
        )
    entries: Any = answer.document().get("data")
    if not isinstance(entries, list):
        raise InvalidInput("The endpoint answers with no list of models.", hint="Check the address.")
    names = (one.get("id") for one in entries if isinstance(one, dict))
    return sorted({name for name in names if isinstance(name, str) and _fit(name)})


def _fit(name: str) -> bool:
    return 0 < len(name) <= LONGEST_MODEL and name.isprintable()


def _checked(draft: Draft) -> dict[str, Any]:
    # In their order: the first one is asked where none is named.
    models = list(dict.fromkeys(one.strip() for one in draft.models if one.strip()))
    if len(models) > MOST_MODELS or not all(map(_fit, models)):
        raise InvalidInput(
            msg(
                "At most {most_models} names of models fit, each of at most {longest_model} letters.",
                most_models=MOST_MODELS,
                longest_model=LONGEST_MODEL,
            )
        )
    embeds = draft.embeds.strip()
    if embeds and not _fit(embeds):
        raise InvalidInput(msg("The name of a model has at most {most} letters.", most=LONGEST_MODEL))
    key = draft.key.strip()
    if len(key) > LONGEST_KEY or not key.isprintable() or not key.isascii():
        raise InvalidInput("The key is too long, or has characters in it that no key has.")
    base_url = checked_url(draft.base_url).rstrip("/")
    if "?" in base_url:
        raise InvalidInput(
            "The address has a question mark in it.", hint="It looks like https://example.org/v1."
        )
    return {
        "name": checked_name(draft.name), "base_url": base_url, "models": models,
        "is_default": draft.is_default, "active": draft.active,
        "prompt_price": checked_price(draft.prompt_price),
        "completion_price": checked_price(draft.completion_price), "embeds": embeds,
    }  # fmt: skip


def _check_name(session: Session, endpoint: ModelEndpoint, name: str) -> None:
    query = select(ModelEndpoint.id).where(
        ModelEndpoint.workspace_id == endpoint.workspace_id,
        ModelEndpoint.name == name,
        ModelEndpoint.id != endpoint.id,
    )
    if session.scalar(query):
        raise Conflict("There is a model endpoint of that name.", hint="Choose another name.")


def _only_default(session: Session, endpoint: ModelEndpoint) -> None:
    """At most one is the default, and at most one makes vectors: the one that was chosen last."""
    others = update(ModelEndpoint).where(
        ModelEndpoint.workspace_id == endpoint.workspace_id, ModelEndpoint.id != endpoint.id
    )
    if endpoint.is_default:
        session.execute(others.values(is_default=False))
    if endpoint.embeds:
        session.execute(others.values(embeds=""))


def _embedding(endpoint: ModelEndpoint) -> tuple[str, str] | None:
    """Which model makes vectors where; None where this endpoint makes none."""
    return (endpoint.embeds, endpoint.base_url) if endpoint.embeds and endpoint.active else None


def _embed_again(session: Session, endpoint: ModelEndpoint) -> None:
    """Have all vectors of the workspace made by whom it has now; those of the same name, elsewhere, are others."""
    session.execute(
        delete(Embedding).where(
            Embedding.workspace_id == endpoint.workspace_id, Embedding.model == endpoint.embeds
        )
    )
    enqueue(session, EMBED_AGAIN, workspace_id=endpoint.workspace_id)


def _keep_key(endpoint: ModelEndpoint, key: str) -> None:
    if key.strip():
        endpoint.secret = seal(key.strip(), place=place_of_endpoint(endpoint.id))


def _shown(endpoint: ModelEndpoint) -> dict[str, object]:
    """What the audit log keeps; never the key."""
    return {
        "name": endpoint.name, "base_url": endpoint.base_url, "models": list(endpoint.models),
        "is_default": endpoint.is_default, "active": endpoint.active,
        "prompt_price": price_text(endpoint.prompt_price),
        "completion_price": price_text(endpoint.completion_price), "embeds": endpoint.embeds,
    }  # fmt: skip


def _record(
    session: Session,
    principal: Principal,
    action: str,
    endpoint: ModelEndpoint,
    before: dict[str, object] | None,
    after: dict[str, object] | None,
) -> None:
    target = f"model-endpoint:{endpoint.id}"
    audit.record(session, principal=principal, action=action, target=target, before=before, after=after)
