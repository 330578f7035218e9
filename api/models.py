"""The shapes of the JSON API's answers and requests."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.moments import Day, Instant
from leitstand.db.models import Item


class Answer(BaseModel):
    """The root of answers: read from the attributes of what the core gives."""

    model_config = ConfigDict(from_attributes=True)


class Request(BaseModel):
    """The root of requests: a member that nobody knows is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")


class WorkspaceOut(Answer):
    id: UUID
    name: str
    zone: str


class OrganisationOut(Answer):
    id: UUID
    slug: str = Field(description="The short name in commands and files; it never changes.")
    name: str
    zone: str = Field(description="IANA zone in which days are counted.")
    created_at: datetime


class OrganisationIn(Request):
    name: str | None = None
    zone: str | None = None


class MeOut(Answer):
    """Who is signed in; `csrf_token` goes into the header X-CSRF-Token of every write."""

    id: UUID | None
    name: str
    email: str
    role: str
    permissions: list[str]
    theme: str
    language: str = Field("", description="Empty: the one that the browser asks for.")
    zone: str = Field("", description="In which the person reads times; empty: the workspace's.")
    workspace: WorkspaceOut
    csrf_token: str


class MeIn(Request):
    name: str | None = None
    theme: str | None = None
    language: str | None = Field(None, description="en or de; empty: the one that the browser asks for.")
    zone: str | None = Field(None, description="An IANA name; empty: the workspace's reporting zone.")


class ItemOut(Answer):
    id: UUID
    kind: str
    title: str
    description: str
    status: str
    visibility: str
    owner_id: UUID | None
    tags: list[str]
    external_key: str | None
    created_at: datetime
    updated_at: datetime


class ItemPage(Answer):
    """One page of a list; `next` is the cursor of the next page, null at the end."""

    items: list[ItemOut]
    next: str | None


class OrderIn(Request):
    """Ids of favorites in their new order; those left out follow as they were."""

    ids: list[UUID] = Field(max_length=500)


class TrashedOut(ItemOut):
    deleted_at: datetime


class AreaOut(Answer):
    slug: str
    title: str
    route: str
    purpose: str


class GroupOut(Answer):
    title: str
    areas: list[AreaOut]


class RecentOut(Answer):
    item: ItemOut
    used_at: datetime


class BackupOut(Answer):
    id: UUID
    kind: str
    engine: str
    level: str | None = Field(
        description="Of PostgreSQL: full, differential or incremental; null for others."
    )
    parent_id: UUID | None
    status: str
    started_at: datetime
    finished_at: datetime | None
    location: str
    bytes: int
    sha256: str
    postgres_version: str
    schema_revision: str
    verified_at: datetime | None
    kept: bool
    reason: str = Field(description="Why retention removes or removed it; empty for the others.")
    removed_at: datetime | None
    error: str


class BackupShown(BackupOut):
    retention: dict[str, Any] | None = Field(
        description="Whether it stays and why; null where it is not judged."
    )
    recovery_window: dict[str, str | None] = Field(description="`from`, and `to`: an instant or `now`.")


class KeepIn(Request):
    kept: bool


class PruneIn(Request):
    """The hash of the plan that was seen, and the bucket's name, typed."""

    plan: str
    name: str


class RetentionOut(Answer):
    now: datetime
    sha256: str
    backups: list[dict[str, Any]]
    log: list[dict[str, Any]]
    cautions: list[str] = Field(description="Why only a person may have it carried out; empty otherwise.")
    window_from: datetime | None = Field(description="Any second since then can be restored.")
    window_promised: datetime


class DrillOut(Answer):
    id: UUID
    kind: str
    backup_id: UUID | None
    status: str
    started_at: datetime
    finished_at: datetime | None
    rpo_seconds: float | None
    rto_seconds: float | None
    notebook: str
    html: str
    notebook_sha256: str
    chain_sha256: str
    figures: dict[str, Any]
    error: str


class BackupIn(Request):
    kind: str = "postgres"


class DrillIn(Request):
    name: str = "postgres-latest"


class RunbookOut(Answer):
    number: str
    name: str
    title: str
    when: str = Field(description="When it is for.")
    text: str = Field(description="All that it says, as Markdown.")
    parameters: list[dict[str, Any]] = Field(description="name, type, default and help of each.")


class RunbookIn(Request):
    """Parameters that differ from the defaults; `typed` is the name of the target, for a run that is no dry run."""

    parameters: dict[str, str | int | float | bool] = {}
    typed: str = Field("", max_length=500)


class ResumeIn(Request):
    """The name of the target, typed again where the run was no dry run."""

    typed: str = Field("", max_length=500)


class SignIn(Request):
    note: str = Field(max_length=2_000)


class RunIdOut(Answer):
    run_id: UUID


class JobOut(Answer):
    """The number of a job in the queue."""

    job: int


class ExecutionOut(Answer):
    flow: str
    scheduled_for: datetime
    status: str
    trigger: str
    started_at: datetime
    finished_at: datetime | None
    error: str


class CheckOut(Answer):
    id: UUID
    suite: str
    target: str
    success: bool
    evaluated: int
    failed: int
    at: datetime


class CheckIn(Request):
    suite: str = "all"


class SuiteOut(Answer):
    name: str
    table: str
    state: str
    checks: int | None
    last: dict[str, Any] | None


class CheckRunOut(Answer):
    run_id: str
    at: datetime
    suite: str
    target: str
    success: bool
    evaluated: int
    failed: int
    violated: list[str]
    seconds: float | None
    documents: str
    documents_sha256: str


class AuditOut(Answer):
    id: int
    at: datetime
    actor: str
    action: str
    target: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    request_id: str


class TokenOut(Answer):
    """An API token without its secret."""

    id: UUID
    name: str
    start: str = Field(description="Its first characters, to recognise it by.")
    permissions: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class TokenMade(TokenOut):
    """A new API token. `token` is in this answer and in no other; null where the request is repeated."""

    token: str | None


class TokenIn(Request):
    """`days` after which it expires; null: never."""

    name: str
    permissions: list[str] = Field(max_length=100)
    days: int | None = None


class RefusalPage(Answer):
    """One page of refused events; `total` match in all, `next` is the cursor of the next page, null at the end."""

    items: list[dict[str, Any]]
    total: int
    next: str | None


class ReplayIn(Request):
    """Which refused events: these ids, or else those that match and came behind the id `after`."""

    ids: list[Annotated[int, Field(ge=1, le=2**63 - 1)]] | None = Field(None, max_length=1_000)
    source: str = ""
    reason: str = ""
    after: int = Field(0, ge=0, le=2**63 - 1)


class AnnotationIn(Request):
    """Exactly one of `day` (a local day, whatever the zone) and `at` (an instant with its offset)."""

    kind: str
    text: str
    day: Day | None = None
    at: Instant | None = None


class AnnotationOut(Answer):
    id: UUID
    kind: str
    text: str
    day: date | None
    at: datetime | None
    author: str
    created_at: datetime
    updated_at: datetime
    mine_to_change: bool = False


class ViewIn(Request):
    """`choices` are those of the dashboard's address."""

    app: str
    name: str
    choices: dict[str, str]
    shared: bool = False
    first_for_me: bool = False


class ViewChange(Request):
    """What is left out stays as it is. A dashboard opened without choices begins with the view that is first."""

    name: str | None = None
    choices: dict[str, str] | None = None
    shared: bool | None = None
    first_for_me: bool | None = None
    first_for_all: bool | None = None


class ViewOut(Answer):
    id: UUID
    app: str
    name: str
    choices: dict[str, str]
    shared: bool
    mine: bool = False
    first_for_me: bool = False
    first_for_all: bool
    updated_at: datetime


def item_page(items: list[Item] | Any, cursor: str | None = None) -> ItemPage:
    """Items as one page of a list."""
    return ItemPage(items=[ItemOut.model_validate(item) for item in items], next=cursor)
