"""Everything that a person made and that is kept about them, as a ZIP of JSON and CSV files."""

import csv
import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, Any

from sqlalchemy import func, select, true
from sqlalchemy.orm import Session

from leitstand.db.models import (
    Annotation,
    ApiToken,
    AppSchedule,
    AuditEntry,
    CompanionVersion,
    ConversationAttachment,
    ConversationMessage,
    Favorite,
    GroupMember,
    Item,
    ItemGrant,
    ItemVersion,
    Membership,
    PeopleGroup,
    Person,
    Recent,
    ReportMail,
    ReportSubscription,
    SavedView,
    Thread,
    ThreadStep,
    UserSession,
    Workspace,
)
from leitstand.db.row_security import beyond
from leitstand.errors import NotFound
from leitstand.identity import audit
from leitstand.identity.access import Principal, require_person

# Never leave the database, in an export neither: whoever finds the file must not be able to sign in with it.
SECRET = {"password_hash", "token_hash"}
BLOCK = 1000
IN_MEMORY = 4_000_000
README = (
    "What Leitstand keeps about you and what you made, taken at the moment of the export.\n"
    "Each file is a table; times are in UTC. Passwords and tokens are not in it: they are kept as hashes alone.\n"
)


@beyond("what is kept about a person is in several workspaces")
def export(session: Session, *, principal: Principal) -> IO[bytes]:
    """The ZIP, in a temporary file at its beginning; the caller reads it and closes it.

    Raises:
        Forbidden: a token asks, or an owner who acts as them.
        NotFound: there is no such person.
    """
    require_person(principal)
    person = session.get(Person, principal.person_id) if principal.person_id else None
    if person is None:
        raise NotFound("There is no such person.")
    audit.record(session, principal=principal, action="person.export", target=f"person:{person.id}")
    session.flush()
    file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - the caller closes it
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", README)
        for name, rows in _json(session, person).items():
            with archive.open(f"{name}.json", "w", force_zip64=True) as entry:
                _write_json(entry, rows())
        for name, rows in _csv(session, person).items():
            with archive.open(f"{name}.csv", "w", force_zip64=True) as entry:
                _write_csv(entry, rows())
    file.seek(0)
    return file


Rows = Callable[[], Iterator[dict[str, Any]]]


def _json(session: Session, person: Person) -> Mapping[str, Rows]:
    """What people made: text of theirs, as it is."""
    owned = select(Item.id).where(Item.owner_id == person.id)
    asked = select(Thread.id).where(Thread.person_id == person.id)
    return {
        "profile": lambda: _of(session, Person, Person.id == person.id),
        "items": lambda: _of(session, Item, Item.owner_id == person.id, Item.purged_at.is_(None)),
        "item-versions": lambda: _of(
            session, ItemVersion, ItemVersion.item_id.in_(owned) | (ItemVersion.created_by == person.id)
        ),
        "flows": lambda: _of(
            session,
            CompanionVersion,
            CompanionVersion.companion_id.in_(owned) | (CompanionVersion.created_by == person.id),
        ),
        "conversations": lambda: _of(
            session, ConversationMessage, ConversationMessage.conversation_id.in_(owned)
        ),
        "conversation-files": lambda: _of(
            session, ConversationAttachment, ConversationAttachment.conversation_id.in_(owned)
        ),
        "threads": lambda: _of(session, Thread, Thread.person_id == person.id),
        "thread-steps": lambda: _of(session, ThreadStep, ThreadStep.thread_id.in_(asked)),
        "app-schedules": lambda: _of(session, AppSchedule, AppSchedule.person_id == person.id),
        "saved-views": lambda: _of(session, SavedView, SavedView.owner_id == person.id),
        "annotations": lambda: _of(session, Annotation, Annotation.author_id == person.id),
    }


def _csv(session: Session, person: Person) -> Mapping[str, Rows]:
    """What is kept about them."""
    return {
        "workspaces": lambda: _rows(
            session,
            select(Workspace.name, Membership.role, Membership.created_at, Membership.expires_at)
            .join(Membership, Membership.workspace_id == Workspace.id)
            .where(Membership.person_id == person.id),
        ),
        "groups": lambda: _rows(
            session,
            select(PeopleGroup.name, GroupMember.created_at, GroupMember.expires_at)
            .join(GroupMember, GroupMember.group_id == PeopleGroup.id)
            .where(GroupMember.person_id == person.id),
        ),
        "grants": lambda: _of(session, ItemGrant, ItemGrant.person_id == person.id),
        "sessions": lambda: _of(session, UserSession, UserSession.person_id == person.id),
        "tokens": lambda: _of(session, ApiToken, ApiToken.person_id == person.id),
        "favorites": lambda: _of(session, Favorite, Favorite.person_id == person.id),
        "recently-used": lambda: _of(session, Recent, Recent.person_id == person.id),
        "report-subscriptions": lambda: _of(
            session, ReportSubscription, ReportSubscription.person_id == person.id
        ),
        "report-mails": lambda: _of(session, ReportMail, ReportMail.person_id == person.id),
        "what-you-did": lambda: _of(
            session,
            AuditEntry,
            (AuditEntry.actor == person.email)
            | func.starts_with(AuditEntry.actor, f"{person.email} ")
            | (AuditEntry.target == f"person:{person.id}"),
        ),
    }


def _of(session: Session, table: Any, *which: Any) -> Iterator[dict[str, Any]]:
    columns = [column for column in table.__table__.columns if column.name not in SECRET]
    return _rows(session, select(*columns).where(true(), *which))


def _rows(session: Session, query: Any) -> Iterator[dict[str, Any]]:
    for row in session.execute(query.execution_options(yield_per=BLOCK)):
        yield dict(row._mapping)


def _write_json(file: IO[bytes], rows: Iterable[dict[str, Any]]) -> None:
    file.write(b"[")
    for number, row in enumerate(rows):
        file.write(b",\n" if number else b"\n")
        file.write(json.dumps(row, default=str, ensure_ascii=False).encode("utf-8", "replace"))
    file.write(b"\n]\n")


def _write_csv(file: IO[bytes], rows: Iterable[dict[str, Any]]) -> None:
    with io.TextIOWrapper(file, "utf-8", errors="replace", newline="", write_through=True) as text:
        writer: Any = None
        for row in rows:
            if writer is None:
                writer = csv.DictWriter(text, list(row))
                writer.writeheader()
            writer.writerow({name: _cell(value) for name, value in row.items()})


def _cell(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula."""
    shown = (
        json.dumps(value, default=str)
        if isinstance(value, dict | list)
        else str("" if value is None else value)
    )
    return f"'{shown}" if shown[:1] in {"=", "+", "-", "@", "\t", "\r"} else shown
