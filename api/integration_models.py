"""The shapes of integrations in the JSON API; no answer but that of a new webhook or a rotation has a secret."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BeforeValidator, Field

from api.models import Answer, Request
from leitstand.db.models import S3Import
from leitstand.imports.configured import Draft as ImportDraft
from leitstand.imports.runs import Progress
from leitstand.integrations.model_endpoints import Draft
from leitstand.integrations.prices import price_text

EMBEDS = "The model that makes the vectors of the workspace's passages; empty: this endpoint makes none."
PRICE = "Of a million tokens, in the currency of the workspace's plan, as a decimal number: `0.15`."
Price = Annotated[str, BeforeValidator(lambda kept: price_text(kept) if isinstance(kept, int) else kept)]


class StateOut(Answer):
    slug: str
    state: str = Field(description="`off`, `untested`, `works` or `broken`.")
    count: int
    checked_at: datetime | None
    problem: str


class WebhookOut(Answer):
    """A webhook without its secret."""

    id: UUID
    url: str
    description: str
    events: list[str]
    active: bool
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_reason: str
    earlier_until: datetime | None = Field(description="Until when the secret before signs as well.")
    created_by: str
    created_at: datetime
    updated_at: datetime


class WebhookMade(WebhookOut):
    """A webhook with its new secret, which is in this answer and in no other; null where the request is repeated."""

    secret: str | None


class WebhookIn(Request):
    """`events` are names as in the audit log; `noun.*` is every event of a noun, `*` is everything."""

    url: str
    events: list[str] = Field(max_length=100)
    description: str = ""
    active: bool = True


class DeliveryOut(Answer):
    id: UUID
    event_id: str = Field(description="The header `webhook-id`.")
    event: str
    status: str = Field(
        description="`pending`, `failed` (tried again at `next_at`), `delivered` or `given-up`."
    )
    attempts: int
    replays: int
    next_at: datetime | None
    last_at: datetime | None
    last_status: int | None
    last_error: str
    response: str = Field(description="The beginning of the answer, at most 1,000 bytes.")
    duration_ms: int | None
    created_at: datetime
    delivered_at: datetime | None
    payload: dict[str, Any]


class DeliveryPage(Answer):
    """One page; `next` is the cursor of the next one, null at the end."""

    items: list[DeliveryOut]
    next: str | None


class ReplayedOut(Answer):
    """How many are sent once more; at most 1,000 at a time."""

    replayed: int


class EndpointOut(Answer):
    """A model endpoint without its key."""

    id: UUID
    name: str
    base_url: str
    models: list[str]
    is_default: bool
    active: bool
    prompt_price: Price = Field(description=PRICE)
    completion_price: Price = Field(description=PRICE)
    embeds: str = Field(description=EMBEDS)
    checked_at: datetime | None
    check_problem: str
    created_at: datetime
    updated_at: datetime


class EndpointIn(Request):
    """An empty `key` leaves the one that is there."""

    name: str
    base_url: str
    key: str = Field("", repr=False)
    models: list[str] = Field([], max_length=200)
    is_default: bool = False
    active: bool = True
    prompt_price: str = Field("0", max_length=20, description=PRICE)
    completion_price: str = Field("0", max_length=20, description=PRICE)
    embeds: str = Field("", max_length=200, description=EMBEDS)

    @property
    def draft(self) -> Draft:
        """As the core takes it."""
        return Draft(**self.model_dump())


class ProgressOut(Answer):
    """How many objects are in each state."""

    waiting: int
    taken: int
    duplicate: int
    failed: int


class S3ImportOut(Answer):
    """An import from a bucket without its secret key."""

    id: UUID
    name: str
    endpoint: str
    region: str
    bucket: str
    prefix: str
    access_key: str
    space_id: UUID | None = Field(description="Null where the space is gone.")
    every: str = Field(description="`never`, `hour` or `day`.")
    checked_at: datetime | None
    check_problem: str
    run_state: str = Field(description="`idle`, `queued` or `running`.")
    run_problem: str
    started_at: datetime | None
    ended_at: datetime | None
    created_at: datetime
    updated_at: datetime
    objects: ProgressOut

    @classmethod
    def of(cls, found: S3Import, counted: Progress) -> Self:
        """With how far it is."""
        fields = {name: getattr(found, name) for name in cls.model_fields if name != "objects"}
        return cls(**fields, objects=ProgressOut.model_validate(counted))


class S3ImportIn(Request):
    """An empty `secret_key` leaves the one that is there."""

    name: str
    endpoint: str
    region: str = "us-east-1"
    bucket: str
    prefix: str = ""
    access_key: str
    secret_key: str = Field("", repr=False)
    space_id: UUID
    every: str = "never"

    @property
    def draft(self) -> ImportDraft:
        """As the core takes it."""
        return ImportDraft(**self.model_dump())


class ObjectOut(Answer):
    id: UUID
    key: str
    etag: str
    bytes: int
    status: str = Field(
        description="`waiting`, `taken`, `duplicate` (the space had the content) or `failed`."
    )
    reason: str
    document_id: UUID | None
    updated_at: datetime


class ObjectPage(Answer):
    """One page; `next` is what `after` of the next one is, null at the end."""

    items: list[ObjectOut]
    next: str | None


class RetriedOut(Answer):
    """How many are taken once more."""

    retried: int
