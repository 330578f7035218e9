"""The tables of the ingestion dashboard: what the page shows and the files hold."""

from panel_apps.definitions import DEFINITIONS
from panel_apps.ingestion.answers import Answers
from panel_apps.speech import duration, moment_in_utc, size, status, told
from panel_apps.tables import Column, Table, count, day, text

REFUSALS = (
    Column("reason", "Reason", told, False),
    count("events", "Events"),
    count("replayed", "Taken since"),
    Column("last", "Newest", moment_in_utc, False),
)
FAILURES = (
    Column("reason", "Reason", told, False),
    count("documents", "Documents"),
    Column("example", "For example", None, False),
    Column("last", "Tried last", moment_in_utc, False),
)
FILES = (
    text("file", "File"),
    Column("status", "State", status, False),
    Column("began", "Began", moment_in_utc, False),
    Column("seconds", "Took", duration),
    count("accepted", "Accepted"),
    count("duplicates", "There already", "Events that were there already, or stand twice in the file"),
    count("refused", "Refused"),
)
TABLES: dict[str, Table[Answers]] = {
    "events": Table(
        "Events of imported files by day",
        (
            day("day", "Day"),
            count("files", "Files"),
            count("accepted", "Accepted"),
            count("duplicates", "There already"),
            count("refused", "Refused"),
        ),
        lambda answers: answers.events,
        lambda answers: answers.before.events if answers.before else None,
    ),
    "documents": Table(
        "Documents by day of their upload",
        (
            day("day", "Day"),
            count("ready", "Ready"),
            count("failed", "Failed"),
            count("waiting", "Not read yet"),
            Column("bytes", "Size", size),
        ),
        lambda answers: answers.documents,
        lambda answers: answers.before.documents if answers.before else None,
    ),
    "files": Table("Event files", FILES, lambda answers: answers.files),
    "refusals": Table("Refused events by reason", REFUSALS, lambda answers: answers.refusals),
    "failures": Table(
        "Documents that could not be read, by reason", FAILURES, lambda answers: answers.failures
    ),
}
WORK_TIMES = (
    Column("median", "Median time", duration, True, DEFINITIONS["work-time"]),
    Column("p95", "95% within", duration, True, DEFINITIONS["work-time"]),
)
JOBS = (
    text("name", "Job"),
    count("succeeded", "Succeeded"),
    count("failed", "Failed"),
    count("waiting", "Waiting"),
    *WORK_TIMES,
    Column("reason", "Newest failure", told, False),
)
FLOWS = (
    text("flow", "Flow"),
    count("complete", "Complete"),
    count("failed", "Failed"),
    count("running", "Running"),
    *WORK_TIMES,
    Column("reason", "A failure", told, False),
)
