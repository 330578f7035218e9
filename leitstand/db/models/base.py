"""The declarative base and the column types that every table shares."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import uuid_utils.compat as uuid_utils
from sqlalchemy import ARRAY, DateTime, Dialect, ForeignKey, MetaData, Text, TypeDecorator, Uuid, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

from leitstand.words import from_stored, to_stored

NAMING = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def new_id() -> UUID:
    """A fresh UUIDv7: unique, and ordered by the time it was made."""
    return UUID(bytes=uuid_utils.uuid7().bytes)


class Words(TypeDecorator[str]):
    """A text of ours that is read in the reader's language: a `Message` comes back as one."""

    impl, cache_ok = Text, True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else to_stored(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> str | None:
        return None if value is None else from_stored(value)


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it as a class attribute
        str: Text,
        datetime: DateTime(timezone=True),
        UUID: Uuid,
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
    }


Id = Annotated[UUID, mapped_column(primary_key=True, default=new_id)]
WorkspaceId = Annotated[UUID, mapped_column(ForeignKey("workspace.id", ondelete="CASCADE"))]
CreatedAt = Annotated[datetime, mapped_column(server_default=func.now())]
Said = Annotated[str, mapped_column(Words, server_default="")]
