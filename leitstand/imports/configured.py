"""Imports from buckets as owners set them up: listed, added, changed, tested, removed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from leitstand.catalogue.editing import require_edit
from leitstand.catalogue.items import get_item
from leitstand.catalogue.visibility import visible
from leitstand.db.models import Item, S3Import, S3ImportObject
from leitstand.db.models.base import new_id
from leitstand.db.models.s3_imports import EVERY
from leitstand.errors import Conflict, InvalidInput, NotFound
from leitstand.identity import audit
from leitstand.identity.access import Principal, require, system_principal
from leitstand.identity.people import checked_name
from leitstand.identity.sealed import place_of_import
from leitstand.identity.sealing import seal
from leitstand.imports.bucket import TEST_SECONDS, bucket_of
from leitstand.integrations import servers
from leitstand.integrations.addresses import checked_url
from leitstand.knowledge.spaces import KIND
from leitstand.words import msg

REGION = re.compile(r"[a-zA-Z0-9-]{1,50}")
BUCKET = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,62}")
LONGEST_KEY, LONGEST_PREFIX, MOST_SPACES = 500, 500, 500
WORKER = "S3 import"


@dataclass(frozen=True)
class Draft:
    """What is entered; an empty secret key leaves the one that is there."""

    name: str = ""
    endpoint: str = ""
    region: str = "us-east-1"
    bucket: str = ""
    prefix: str = ""
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    space_id: UUID | None = None
    every: str = "never"


def worker_of(workspace_id: UUID) -> Principal:
    """In whose name documents are taken in: nobody's, so that it goes on when whoever set it up has left."""
    return system_principal(workspace_id, WORKER)


def list_imports(session: Session, *, principal: Principal) -> list[S3Import]:
    """The workspace's own, by name.

    Raises:
        Forbidden: without `workspace:manage`.
    """
    require(principal, "workspace:manage")
    query = select(S3Import).where(S3Import.workspace_id == principal.workspace_id)
    return list(session.scalars(query.order_by(S3Import.name)))


def get(session: Session, *, principal: Principal, import_id: UUID, lock: bool = False) -> S3Import:
    """One of the workspace's own.

    Raises:
        NotFound: there is none of that id here.
        Forbidden: without `workspace:manage`.
    """
    require(principal, "workspace:manage")
    query = select(S3Import).where(S3Import.workspace_id == principal.workspace_id, S3Import.id == import_id)
    found = session.scalar(
        query.with_for_update().execution_options(populate_existing=True) if lock else query
    )
    if found is None:
        raise NotFound("There is no such import.")
    return found


def spaces_to_fill(session: Session, *, principal: Principal) -> Sequence[Item]:
    """The spaces that can be chosen, by title: those that are open to the workspace.

    Raises:
        Forbidden: without `workspace:manage`.
    """
    require(principal, "workspace:manage")
    query = select(Item).where(visible(worker_of(principal.workspace_id)), Item.kind == KIND)
    return session.scalars(query.order_by(Item.title, Item.id).limit(MOST_SPACES)).all()


def create(session: Session, *, principal: Principal, draft: Draft) -> S3Import:
    """Add an import.

    Raises:
        InvalidInput: a field is not fit.
        NotFound: there is no such space that is open to the workspace.
        Conflict: the name is taken.
        Forbidden: without `workspace:manage`, or the space is not theirs to change.
    """
    require(principal, "workspace:manage")
    if not draft.secret_key.strip():
        raise InvalidInput(
            "The secret key is empty.", hint="The store gives it together with the access key."
        )
    values = _checked(session, principal, draft)
    import_id = new_id()
    _check_name(session, principal, import_id, values["name"])
    found = S3Import(
        id=import_id, workspace_id=principal.workspace_id, created_by=principal.actor, secret=b"", **values
    )
    _keep_key(found, draft.secret_key)
    session.add(found)
    session.flush()
    _record(session, principal, "s3-import.create", found, None, _shown(found))
    return found


def change(session: Session, *, principal: Principal, import_id: UUID, draft: Draft) -> S3Import:
    """Change an import, or rotate its key. With another bucket or space everything is taken anew.

    Raises:
        InvalidInput: a field is not fit, or the key would go to another server than it was entered for.
        NotFound: there is none of that id here, or no such space.
        Conflict: the name is taken.
        Forbidden: without `workspace:manage`, or the space is not theirs to change.
    """
    found = get(session, principal=principal, import_id=import_id, lock=True)
    values, before = _checked(session, principal, draft), _shown(found)
    servers.require_key_of(values["endpoint"], before=found.endpoint, has_key=True, key=draft.secret_key)
    _check_name(session, principal, import_id, values["name"])
    if any(values[name] != getattr(found, name) for name in ("endpoint", "bucket", "space_id")):
        session.execute(delete(S3ImportObject).where(S3ImportObject.import_id == found.id))
    for name, value in values.items():
        setattr(found, name, value)
    _keep_key(found, draft.secret_key)
    servers.unchecked(found)
    session.flush()
    old, new = audit.changed(before, _shown(found) | {"new_key": bool(draft.secret_key.strip())})
    _record(session, principal, "s3-import.update", found, old, new)
    return found


def remove(session: Session, *, principal: Principal, import_id: UUID) -> None:
    """Take an import away, with its key and what is known of its objects; the documents stay.

    Raises:
        NotFound: there is none of that id here.
        Forbidden: without `workspace:manage`.
    """
    found = get(session, principal=principal, import_id=import_id, lock=True)
    before = _shown(found)
    session.delete(found)
    session.flush()
    _record(session, principal, "s3-import.remove", found, before, None)


def test(session: Session, *, principal: Principal, import_id: UUID) -> str:
    """Ask the store for one line of the bucket's listing, and keep what is wrong; empty where nothing is.

    Raises:
        NotFound: there is none of that id here.
        Forbidden: without `workspace:manage`.
    """
    found = get(session, principal=principal, import_id=import_id)

    def look() -> str:
        bucket_of(found, seconds=TEST_SECONDS).first()
        return ""

    return servers.check(found, look)


def _checked(session: Session, principal: Principal, draft: Draft) -> dict[str, Any]:
    endpoint = checked_url(draft.endpoint).rstrip("/")
    if "?" in endpoint:
        raise InvalidInput(
            "The endpoint has a question mark in it.", hint="It looks like https://s3.example.org."
        )
    if not REGION.fullmatch(region := draft.region.strip()):
        raise InvalidInput("This is no region.", hint="It looks like eu-central-1.")
    if not BUCKET.fullmatch(bucket := draft.bucket.strip()):
        raise InvalidInput("This is no name of a bucket.", hint="It has letters, digits, dots and hyphens.")
    if len(draft.prefix) > LONGEST_PREFIX or not draft.prefix.isprintable():
        raise InvalidInput(
            msg(
                "A prefix has at most {longest_prefix} characters, on one line.",
                longest_prefix=LONGEST_PREFIX,
            )
        )
    access_key = draft.access_key.strip()
    if not access_key or not _fit(access_key) or not _fit(draft.secret_key.strip()):
        raise InvalidInput("A key is missing, too long, or has characters in it that no key has.")
    if draft.every not in EVERY:
        raise InvalidInput(
            msg("There is no schedule {every!r}.", every=draft.every[:50]),
            hint=msg("One of {names}.", names=", ".join(EVERY)),
        )
    return {
        "name": checked_name(draft.name), "endpoint": endpoint, "region": region, "bucket": bucket,
        "prefix": draft.prefix.strip().lstrip("/"), "access_key": access_key, "every": draft.every,
        "space_id": _checked_space(session, principal, draft.space_id),
    }  # fmt: skip


def _checked_space(session: Session, principal: Principal, space_id: UUID | None) -> UUID:
    if space_id is None:
        raise InvalidInput("No space is chosen.", hint="Choose the one that the documents go into.")
    require_edit(session, principal, get_item(session, principal=principal, item_id=space_id, kind=KIND))
    get_item(session, principal=worker_of(principal.workspace_id), item_id=space_id, kind=KIND)
    return space_id


def _fit(key: str) -> bool:
    return len(key) <= LONGEST_KEY and key.isprintable() and key.isascii() and " " not in key


def _check_name(session: Session, principal: Principal, import_id: UUID, name: str) -> None:
    query = select(S3Import.id).where(
        S3Import.workspace_id == principal.workspace_id, S3Import.name == name, S3Import.id != import_id
    )
    if session.scalar(query):
        raise Conflict("There is an import of that name.", hint="Choose another name.")


def _keep_key(found: S3Import, key: str) -> None:
    if key.strip():
        found.secret = seal(key.strip(), place=place_of_import(found.id))


def _shown(found: S3Import) -> dict[str, object]:
    """What the audit log keeps; never the secret key."""
    return {
        "name": found.name, "endpoint": found.endpoint, "region": found.region, "bucket": found.bucket,
        "prefix": found.prefix, "access_key": found.access_key, "every": found.every, "space": str(found.space_id),
    }  # fmt: skip


def _record(
    session: Session,
    principal: Principal,
    action: str,
    found: S3Import,
    before: dict[str, object] | None,
    after: dict[str, object] | None,
) -> None:
    target = f"s3-import:{found.id}"
    audit.record(session, principal=principal, action=action, target=target, before=before, after=after)
