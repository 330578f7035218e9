"""The shapes of threads, their steps, and the schedules of apps."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from api.models import Answer, Request
from leitstand.agents.starting import LONGEST_TEXT
from leitstand.catalogue.kinds.base import WHOLE

COST = "In millionths of the currency in which the workspace pays."


class LimitsOut(Answer):
    """What the thread may use before it is ended."""

    steps: int
    seconds: int = Field(description="Of work; waiting for a person or for its turn does not count.")
    tokens: int
    cost: int = Field(description=f"{COST} 0: as much as it takes.")


class ThreadOut(Answer):
    """One execution of an agent."""

    id: UUID
    title: str
    status: str = Field(
        description="queued, running, waiting (for approval), succeeded, failed or cancelled."
    )
    agent_id: UUID | None = Field(description="Null where it was deleted.")
    agent: str = Field(description="Its title as it was.")
    app_id: UUID | None
    person_id: UUID | None = Field(description="For whom it works; null where they are gone.")
    person: str
    begun_by: str = Field(description="person, schedule or program.")
    retry_of: UUID | None
    steps: int
    prompt_tokens: int
    completion_tokens: int
    cost: int = Field(description=COST)
    worked_ms: int
    created_at: datetime
    started_at: datetime | None
    cancel_requested_at: datetime | None
    finished_at: datetime | None
    error: str = Field(description="Why it failed; empty where it did not.")


class ThreadPage(Answer):
    """One page of the list; `next` is the cursor of the next page, null at the end."""

    items: list[ThreadOut]
    next: str | None


class StepOut(Answer):
    """One step: a model was asked, or a tool was used."""

    id: UUID
    position: int
    kind: str = Field(description="model or tool.")
    status: str = Field(
        description="waiting (for approval), approved, running, succeeded, failed, refused, or unknown: the worker was "
        "ended while it happened."
    )
    name: str = Field(description="Of the model, or of the tool.")
    arguments: dict[str, Any]
    result: dict[str, Any] = Field(description="`text`; of a model `calls` as well: what it wants to use.")
    error: str
    attempts: int
    prompt_tokens: int
    completion_tokens: int
    cost: int = Field(description=COST)
    decided_by: UUID | None = Field(description="Who approved or refused it.")
    decided_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class ThreadFull(ThreadOut):
    """A thread with its input, its output and its steps."""

    text: str = Field(description="What the agent was asked.")
    inputs: dict[str, Any] = Field(description="The values of its app's form.")
    output: str
    limits: LimitsOut
    retries: list[UUID] = Field(description="The threads that repeat it.")
    made: list[StepOut] = Field(description="Its steps in order.")


class LimitsIn(Request):
    """Less than the agent's own limits; what is left out, or more, stays as the agent has it."""

    steps: Annotated[int, Field(ge=1, le=200), WHOLE] | None = None
    seconds: Annotated[int, Field(ge=10, le=3_600), WHOLE] | None = None
    tokens: Annotated[int, Field(ge=1_000, le=10_000_000), WHOLE] | None = None
    cost: Annotated[int, Field(ge=1, le=1_000_000_000, description=COST), WHOLE] | None = None


class ThreadIn(Request):
    """What the agent is to do."""

    text: str = Field(min_length=1, max_length=LONGEST_TEXT)
    limits: LimitsIn = LimitsIn()


class AppRunIn(Request):
    """The values of the app's inputs, by name."""

    inputs: dict[str, Any] = Field({}, max_length=50)


class ScheduleIn(Request):
    """When an app runs by itself, and with which inputs."""

    cron: str = Field(min_length=1, max_length=200, description="Minute, hour, day, month and weekday.")
    zone: str = Field("", max_length=100, description="An IANA name; empty: yours.")
    inputs: dict[str, Any] = Field({}, max_length=50)


class ScheduleChange(Request):
    active: bool = Field(description="False lets it rest.")


class ScheduleOut(Answer):
    id: UUID
    app_id: UUID
    person_id: UUID = Field(description="For whom, and with whose rights, it runs.")
    cron: str
    zone: str
    inputs: dict[str, Any]
    next_at: datetime | None = Field(description="Null while it rests.")
    last_at: datetime | None
    last_thread: UUID | None
    problem: str = Field(description="Why it could not be begun the last time; empty where it could.")
    created_at: datetime
