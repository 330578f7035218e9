"""The shapes of flows, of what is wrong with them, and of runs that were handed over, in the JSON API."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from api.models import Answer


class AnswerOut(BaseModel):
    """What was answered at a step."""

    step: str
    answer: str


class HandedOverOut(BaseModel):
    """A run that was handed over; `to` is empty where it went to whoever may change the companion."""

    run_id: UUID
    at: datetime
    to: str
    answers: list[AnswerOut]
    taken_by: str
    taken_at: datetime | None


class FlowProblem(BaseModel):
    """What is wrong with a step (of the flow itself where `step` is empty), and how it is mended."""

    step: str
    problem: str
    mend: str


class FlowProblems(Answer):
    version: int
    problems: list[FlowProblem]


class FlowOut(Answer):
    version: int
    flow: dict[str, Any]
