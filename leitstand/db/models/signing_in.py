"""The ways to sign in beside a password: one-time codes, passkeys, single sign-on; and what is under way."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from leitstand.db.models.base import Base, CreatedAt, Id, Said, WorkspaceId


class PasswordReset(Base):
    """A new password that was asked for. The mail holds a token, here is its SHA-256.

    Without a person where nobody has the e-mail: both cases leave the same traces and take the same time.
    """

    __tablename__ = "password_reset"

    id: Mapped[Id]
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class OneTimeCode(Base):
    """A person's generator of one-time codes (TOTP); its secret is sealed. It is asked for once it is confirmed.

    `last_step` is the half-minute of the newest code that was taken: no code is taken twice.
    """

    __tablename__ = "one_time_code"

    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    last_step: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    created_at: Mapped[CreatedAt]
    confirmed_at: Mapped[datetime | None]


class RecoveryCode(Base):
    """A code for whoever has lost their generator: works once, kept as its SHA-256."""

    __tablename__ = "recovery_code"
    __table_args__ = (UniqueConstraint("person_id", "code_hash"),)

    id: Mapped[Id]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    code_hash: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[CreatedAt]
    used_at: Mapped[datetime | None]


class Passkey(Base):
    """A passkey of a person (WebAuthn): the public key of a credential that their device or manager keeps."""

    __tablename__ = "passkey"

    id: Mapped[Id]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    # Bytes, and no reference: the authenticator chose it.
    credential: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    created_at: Mapped[CreatedAt]
    last_used_at: Mapped[datetime | None]


class SignInStep(Base):
    """Something that a browser has begun and must end itself, once: a code, a challenge, a way to another site.

    The browser's cookie holds a token, here is its SHA-256. It gives no rights.
    """

    __tablename__ = "sign_in_step"
    __table_args__ = (Index("ix_sign_in_step_expires", "expires_at"),)

    id: Mapped[Id]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    purpose: Mapped[str]
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    data: Mapped[dict[str, Any]]
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime]


class IdentityProvider(Base):
    """Where a workspace's people sign in with OpenID Connect; the client's secret is sealed (NULL: a public client)."""

    __tablename__ = "identity_provider"

    id: Mapped[Id]
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspace.id", ondelete="CASCADE"), unique=True)
    name: Mapped[str]
    issuer: Mapped[str]
    # The name that OpenID Connect gives it; no row of ours.
    client: Mapped[str]
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    domains: Mapped[list[str]]
    default_role: Mapped[str] = mapped_column(server_default="member")
    admits_unknown: Mapped[bool] = mapped_column(server_default=text("false"))
    checked_at: Mapped[datetime | None]
    check_problem: Mapped[Said]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class IdentityLink(Base):
    """That somebody whom an issuer knows as `subject` is this person."""

    __tablename__ = "identity_link"
    __table_args__ = (UniqueConstraint("workspace_id", "issuer", "subject"),)

    id: Mapped[Id]
    workspace_id: Mapped[WorkspaceId]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    issuer: Mapped[str]
    subject: Mapped[str]
    created_at: Mapped[CreatedAt]
    last_used_at: Mapped[datetime | None]
