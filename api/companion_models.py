"""The shapes of companions and their versions in the JSON API."""

from datetime import datetime

from pydantic import Field

from api.models import Answer, ItemOut, Request
from api.moments import Instant


class VersionOut(Answer):
    number: int
    created_at: datetime
    created_by: str


class CompanionOut(ItemOut):
    slug: str | None
    link: str | None = Field(description="The public address; null where nothing is published.")
    published_version: int | None
    versions: list[VersionOut]


class CompanionIn(Request):
    title: str
    description: str = ""
    tags: list[str] = Field([])
    visibility: str = "workspace"


class CompanionChange(Request):
    """What is left out stays as it is. `seen` is `updated_at` as the editor saw it: a later change is not overwritten."""

    title: str | None = None
    description: str | None = None
    tags: list[str] | None = None
    visibility: str | None = None
    seen: Instant | None = None


class PublishIn(Request):
    version: int | None = Field(None, ge=1, le=2_147_483_647)
