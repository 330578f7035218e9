"""The schedules as data: read and checked, before anything is sent to Prefect."""

import re
import tomllib
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from croniter import croniter  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from leitstand.errors import InvalidInput

NAME = re.compile(r"^[a-z][a-z0-9-]{1,62}$")
FLOW = re.compile(r"^[a-z_]+\.[a-z_]+$")
HALF_HOUR = timedelta(minutes=30)


class Deployment(BaseModel):
    """One flow with its schedule and parameters, as `schedules.toml` says it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    flow: str
    description: str = ""
    cron: str | None = None
    zone: str = "UTC"
    parameters: Annotated[dict[str, Any], Field(default_factory=dict)]

    @field_validator("name")
    @classmethod
    def _name_is_plain(cls, value: str) -> str:
        if not NAME.match(value):
            raise ValueError("a name is lower-case letters, digits and hyphens")
        return value

    @field_validator("flow")
    @classmethod
    def _flow_is_module_and_function(cls, value: str) -> str:
        if not FLOW.match(value):
            raise ValueError("a flow is named as module.function")
        return value

    @field_validator("zone")
    @classmethod
    def _zone_is_known(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"there is no time zone {value!r}")
        return value

    @model_validator(mode="after")
    def _cron_is_sound(self) -> "Deployment":
        if self.cron is None:
            return self
        if len(self.cron.split()) != 5 or not croniter.is_valid(self.cron):
            raise ValueError(f"{self.cron!r} is no cron of five fields")
        uncertain = set(croniter.expand(self.cron)[0][1]) & uncertain_hours(self.zone)
        if uncertain:
            raise ValueError(
                f"{self.cron!r} names an hour that {self.zone} skips or repeats when clocks change; use UTC"
            )
        return self


@lru_cache
def uncertain_hours(zone: str) -> frozenset[int]:
    """The local hours that are missing or come twice on some day of this year, where clocks change."""
    place, moment = ZoneInfo(zone), datetime(datetime.now(UTC).year, 1, 1)  # noqa: DTZ001 - local time is the point
    last = moment.replace(year=moment.year + 1)
    found = set()
    while moment < last:
        # In a gap and in a repeated hour, and nowhere else, the two readings of a local time differ.
        if moment.replace(tzinfo=place).utcoffset() != moment.replace(tzinfo=place, fold=1).utcoffset():
            found.add(moment.hour)
        moment += HALF_HOUR
    return frozenset(found)


def next_instant(cron: str, zone: str, *, after: datetime) -> datetime:
    """The first instant of a schedule after another one, in UTC."""
    local = after.astimezone(ZoneInfo(zone))
    found: datetime = croniter(cron, local).get_next(datetime)
    return found.astimezone(UTC)


def load(path: Path) -> list[Deployment]:
    """The deployments of a schedules file.

    Raises:
        InvalidInput: the file is missing, is no TOML, or says something that makes no sense; the message names it.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(
            f"The schedules {path} can't be read.", hint="Set LEITSTAND_SCHEDULES_FILE to an existing file."
        ) from error
    except ValueError as error:
        raise InvalidInput(f"{path} is no TOML: {error}") from error
    entries = document.get("deployment", [])
    if set(document) - {"deployment"} or not isinstance(entries, list) or not entries:
        raise InvalidInput(f"{path} must hold [[deployment]] tables and nothing else.")
    found = [_one(path, place, entry) for place, entry in enumerate(entries, 1)]
    names = [deployment.name for deployment in found]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InvalidInput(f"{path} names {', '.join(repeated)} more than once.")
    return found


def _one(path: Path, place: int, entry: object) -> Deployment:
    try:
        return Deployment.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(
            f"Deployment {place} of {path}: {where + ': ' if where else ''}{first['msg']}."
        ) from error
