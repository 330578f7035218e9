"""People, their place in workspaces, their sessions, and what was done by whom."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    LargeBinary,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from leitstand.db.models.base import Base, CreatedAt, Id, WorkspaceId, new_id


class Workspace(Base):
    __tablename__ = "workspace"

    id: Mapped[Id]
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    reporting_zone: Mapped[str] = mapped_column(server_default="UTC")
    created_at: Mapped[CreatedAt]


class Person(Base):
    """Somebody who can sign in. An empty `language` is the browser's, an empty `zone` the workspace's reporting zone.

    `sign_in_mails`: whether they want a mail when an unknown browser signs in.
    """

    __tablename__ = "person"
    __table_args__ = (Index("uq_person_email_lower", text("lower(email)"), unique=True),)

    id: Mapped[Id]
    email: Mapped[str]
    name: Mapped[str]
    password_hash: Mapped[str | None]
    theme: Mapped[str] = mapped_column(server_default="system")
    language: Mapped[str] = mapped_column(server_default="")
    zone: Mapped[str] = mapped_column(server_default="")
    sign_in_mails: Mapped[bool] = mapped_column(server_default=text("false"))
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class Membership(Base):
    """A person's place in a workspace: a role of `identity.access.ROLES` or a `WorkspaceRole`.

    It ends by itself at `expires_at`; while `suspended_at` is set it signs nobody in.
    """

    __tablename__ = "membership"

    workspace_id: Mapped[WorkspaceId] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(
        ForeignKey("person.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str]
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime | None]
    suspended_at: Mapped[datetime | None]


class WorkspaceRole(Base):
    """A role that a workspace made for itself: a name for a set of permissions."""

    __tablename__ = "workspace_role"

    workspace_id: Mapped[WorkspaceId] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    description: Mapped[str] = mapped_column(server_default="")
    permissions: Mapped[list[str]]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class PeopleGroup(Base):
    """A group of people, members or external, to whom items are granted together."""

    __tablename__ = "people_group"
    __table_args__ = (
        Index("uq_people_group_name", "workspace_id", text("lower(name)"), unique=True),
        UniqueConstraint("workspace_id", "id"),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class GroupMember(Base):
    """That a person of the workspace is in a group, until it expires; it goes with either."""

    __tablename__ = "group_member"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "group_id"],
            ["people_group.workspace_id", "people_group.id"],
            ondelete="CASCADE",
        ),
        ForeignKeyConstraint(
            ["workspace_id", "person_id"],
            ["membership.workspace_id", "membership.person_id"],
            ondelete="CASCADE",
        ),
        Index("ix_group_member_person", "person_id", "workspace_id"),
    )

    group_id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID]
    added_by: Mapped[UUID | None] = mapped_column(ForeignKey("person.id", ondelete="SET NULL"))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime | None]


class Invitation(Base):
    """A place in the workspace that is offered to an e-mail; the mail holds a token, here is its SHA-256.

    `member_until` is when the membership that comes of it ends by itself.
    """

    __tablename__ = "invitation"
    __table_args__ = (
        Index(
            "uq_invitation_open",
            "workspace_id",
            text("lower(email)"),
            unique=True,
            postgresql_where=text("accepted_at IS NULL AND revoked_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    email: Mapped[str]
    name: Mapped[str] = mapped_column(server_default="")
    role: Mapped[str]
    message: Mapped[str] = mapped_column(server_default="")
    group_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default="{}")
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    invited_by: Mapped[UUID | None] = mapped_column(ForeignKey("person.id", ondelete="SET NULL"))
    created_at: Mapped[CreatedAt]
    sent_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    member_until: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class InvitationGrant(Base):
    """What an invitation holds ready: it becomes an `ItemGrant` of the same id when somebody accepts."""

    __tablename__ = "invitation_grant"
    __table_args__ = (
        CheckConstraint("level IN ('read', 'write')", name="level"),
        UniqueConstraint("id"),
    )

    invitation_id: Mapped[UUID] = mapped_column(
        ForeignKey("invitation.id", ondelete="CASCADE"), primary_key=True
    )
    item_id: Mapped[UUID] = mapped_column(
        ForeignKey("item.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    id: Mapped[UUID] = mapped_column(default=new_id)
    workspace_id: Mapped[WorkspaceId]
    level: Mapped[str] = mapped_column(server_default="read")
    granted_by: Mapped[UUID | None] = mapped_column(ForeignKey("person.id", ondelete="SET NULL"))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime | None]


class UserSession(Base):
    """A signed-in browser. The cookie holds a random token; only its SHA-256 is kept.

    `acting_from` is the owner's own session, where an owner acts as this person; it holds no longer than that one.
    """

    __tablename__ = "user_session"

    id: Mapped[Id]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    workspace_id: Mapped[WorkspaceId]
    user_agent: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[CreatedAt]
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    acting_from: Mapped[UUID | None] = mapped_column(
        ForeignKey("user_session.id", ondelete="CASCADE"), index=True
    )


class ApiToken(Base):
    """A token with which a program acts for a member; only its SHA-256 is kept. It goes with the membership.

    `start` are its first characters, by which its owner recognises it.
    """

    __tablename__ = "api_token"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "person_id"],
            ["membership.workspace_id", "membership.person_id"],
            ondelete="CASCADE",
        ),
        Index("ix_api_token_member", "workspace_id", "person_id"),
    )

    id: Mapped[Id]
    workspace_id: Mapped[UUID]
    person_id: Mapped[UUID]
    name: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    start: Mapped[str]
    permissions: Mapped[list[str]]
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class IdempotencyKey(Base):
    """The answer to a request that named a key: given again when the same principal repeats the request.

    `principal_id` is the token or else the person; `fingerprint` tells the request from another one of that key.
    """

    __tablename__ = "idempotency_key"
    __table_args__ = (Index("ix_idempotency_key_created", "created_at"),)

    workspace_id: Mapped[WorkspaceId] = mapped_column(primary_key=True)
    principal_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int]
    headers: Mapped[dict[str, Any]]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[CreatedAt]


class SignInAttempt(Base):
    """A failed sign-in, by e-mail and by address (both hashed): what the rate limit counts."""

    __tablename__ = "sign_in_attempt"
    __table_args__ = (Index("ix_sign_in_attempt_key_at", "key_hash", "at"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    key_hash: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class AuditEntry(Base):
    """One change: who, what, before, after. Rows are only ever added: a trigger refuses anything else."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_workspace_at", "workspace_id", text("at DESC")),
        Index(
            "ix_audit_entry_actor",
            "workspace_id",
            text("lower(actor)"),
            "at",
            postgresql_ops={"lower(actor)": "text_pattern_ops"},
        ),
        Index(
            "ix_audit_entry_action",
            "workspace_id",
            "action",
            "at",
            postgresql_ops={"action": "text_pattern_ops"},
        ),
        Index(
            "ix_audit_entry_target",
            "workspace_id",
            "target",
            "at",
            postgresql_ops={"target": "text_pattern_ops"},
        ),
        Index(
            "ix_audit_entry_request",
            "workspace_id",
            "request_id",
            postgresql_where=text("request_id <> ''"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    workspace_id: Mapped[UUID | None] = mapped_column(ForeignKey("workspace.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor: Mapped[str]
    action: Mapped[str]
    target: Mapped[str] = mapped_column(server_default="")
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    request_id: Mapped[str] = mapped_column(server_default="")
