"""The tables of the agents dashboard: what the page shows and the files hold."""

from panel_apps.agents.answers import Answers
from panel_apps.agents.words import agent_name, purpose
from panel_apps.definitions import DEFINITIONS
from panel_apps.speech import amount, duration, moment_in_utc, told
from panel_apps.tables import Column, Table, count, day, text

TOKENS = count("tokens", "Tokens", DEFINITIONS["tokens"])
COST = Column("cost_millionths", "Cost", amount, True, DEFINITIONS["cost"])


def _times(definition: str) -> tuple[Column, ...]:
    return (
        Column("median", "Median time", duration, True, definition),
        Column("p95", "95% within", duration, True, definition),
    )


TABLES: dict[str, Table[Answers]] = {
    "threads": Table(
        "Threads by the day on which they began",
        (
            day("day", "Day"),
            count("succeeded", "Succeeded"),
            count("failed", "Failed"),
            count("cancelled", "Cancelled"),
            count("open", "Going on"),
        ),
        lambda answers: answers.threads,
        lambda answers: answers.before.threads if answers.before else None,
    ),
    "agents": Table(
        "Threads by agent",
        (
            Column("agent", "Agent", agent_name, False),
            count("threads", "Threads"),
            count("succeeded", "Succeeded"),
            count("failed", "Failed"),
            TOKENS,
            COST,
            *_times(DEFINITIONS["thread-time"]),
        ),
        lambda answers: answers.agents,
    ),
    "failures": Table(
        "Threads that failed, by reason",
        (
            Column("reason", "Reason", told, False),
            count("threads", "Threads"),
            Column("last", "Newest", moment_in_utc, False),
        ),
        lambda answers: answers.failures,
    ),
    "models": Table(
        "Questions to models by day",
        (
            day("day", "Day"),
            count("questions", "Questions"),
            count("failed", "Failed"),
            TOKENS,
            COST,
        ),
        lambda answers: answers.models,
        lambda answers: answers.before.models if answers.before else None,
    ),
    "purposes": Table(
        "Questions by purpose and model",
        (
            Column("purpose", "Asked for", purpose, False),
            text("endpoint", "Endpoint"),
            text("model", "Model"),
            count("questions", "Questions"),
            count("failed", "Failed"),
            TOKENS,
            COST,
            *_times(DEFINITIONS["answer-time"]),
        ),
        lambda answers: answers.purposes,
    ),
}
