"""The last sign of life of a process that does its work without being asked."""

from datetime import datetime

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.db.models import Heartbeat

FORGOTTEN_AFTER = text("interval '1 day'")


def beat(session: Session, *, service: str, instance: str, details: dict[str, object] | None = None) -> None:
    """Write that `instance` of `service` is alive now, and forget instances that have been silent for a day."""
    values = {"at": func.now(), "details": details or {}}
    statement = insert(Heartbeat).values(service=service, instance=instance, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["service", "instance"], set_=values))
    session.execute(
        delete(Heartbeat).where(Heartbeat.service == service, Heartbeat.at < func.now() - FORGOTTEN_AFTER)
    )


def end(session: Session, *, service: str, instance: str) -> None:
    """Take the heartbeat away: the instance has stopped on purpose."""
    session.execute(delete(Heartbeat).where(Heartbeat.service == service, Heartbeat.instance == instance))


def last_beat(session: Session, service: str) -> datetime | None:
    """When any instance of `service` last gave a sign of life, None where none did."""
    return session.scalar(select(func.max(Heartbeat.at)).where(Heartbeat.service == service))
