"""What of a week needs attention first: changes and losses that are too large for chance, with their counts."""

from typing import Any

from leitstand.reports import words
from leitstand.reports.blocks import WEIGHTS, Notice
from leitstand.words.lines import one_line

# Fewer runs or people than this move by chance.
ENOUGH = 20
FALL, RISE = 0.2, 0.2
POINTS = 0.05
LOSS = 0.3
ORDER = list(WEIGHTS)


def weekly_notices(document: dict[str, Any]) -> list[Notice]:
    """The notices of a week, the weightiest first."""
    if not document["now"]["events"]:
        return [_nothing(document)]
    found = [
        *_no_run(document["now"]),
        *_changes(document["now"], document["before"]),
        *_completion(document["now"], document["before"]),
        *_loss(document["now"]["steps"]),
        *_never_completed(document["now"]),
        *_still_going(document),
    ]
    return sorted(found, key=lambda notice: ORDER.index(notice.weight))


def _nothing(document: dict[str, Any]) -> Notice:
    last, before = document["last_day"], document["before"]["events"]
    if last is None:
        return Notice(
            "note",
            "This workspace has no event yet. Publish a companion or import events; figures come with the first run.",
        )
    if before:
        return Notice(
            "bad", f"Nothing happened in this week; the week before had {words.counted(before, 'event')}."
        )
    return Notice("note", f"Nothing happened in this week. The newest event is of {words.day(last)}.")


def _no_run(now: dict[str, Any]) -> list[Notice]:
    if now["runs"]["viewed"]:
        return []
    said = f"No run began in this week; its {words.counted(now['events'], 'event')} belong to runs that began before."
    return [Notice("bad", said)]


def _changes(now: dict[str, Any], before: dict[str, Any]) -> list[Notice]:
    pairs = [
        ("Started runs", now["runs"]["started"], before["runs"]["started"]),
        ("Active users", now["active_users"], before["active_users"]),
    ]
    found = []
    for name, value, was in pairs:
        if max(value, was) < ENOUGH:
            continue
        said = (
            f"{words.number(value)} after {words.number(was)} the week before ({words.change(value, was)})."
        )
        if value < was * (1 - FALL):
            found.append(Notice("bad", f"{name} fell: {said}"))
        elif value > was * (1 + RISE):
            found.append(Notice("note", f"{name} rose: {said}"))
    return found


def _completion(now: dict[str, Any], before: dict[str, Any]) -> list[Notice]:
    rate, was = now["completion_rate"], before["completion_rate"]
    if rate is None or was is None or min(now["runs"]["started"], before["runs"]["started"]) < ENOUGH:
        return []
    counts = [words.share(one["runs"]["completed"], one["runs"]["started"]) for one in (now, before)]
    said = f"{counts[0]} after {counts[1]} the week before."
    if rate < was - POINTS:
        return [Notice("note" if now["immature"] else "bad", f"The completion rate fell: {said}")]
    return [Notice("note", f"The completion rate rose: {said}")] if rate > was + POINTS else []


def _loss(steps: list[dict[str, Any]]) -> list[Notice]:
    """The step, but for the last, after which the most runs went no further."""
    lossy = [
        row
        for row in steps[:-1]
        if row["reached"] >= ENOUGH and row["drop_off"] is not None and row["drop_off"] > LOSS
    ]
    if not lossy:
        return []
    worst = max(lossy, key=lambda row: row["dropped"])
    name, share = one_line(worst["step"], 80), words.share(worst["dropped"], worst["reached"])
    return [Notice("warn", f"Most is lost at the step {name}: {share} went no further.")]


def _never_completed(now: dict[str, Any]) -> list[Notice]:
    if not now["runs"]["completed"]:
        return []
    return [
        Notice(
            "warn",
            f"{one_line(row['companion'], 80)} had {words.counted(row['runs'], 'run')} and none was completed.",
        )
        for row in now["top_companions"]
        if row["runs"] >= ENOUGH and not row["completed"]
    ]


def _still_going(document: dict[str, Any]) -> list[Notice]:
    if document["running"]:
        return [Notice("note", "The week still runs: it is compared with the same part of the week before.")]
    if document["now"]["immature"]:
        return [Notice("note", "Some runs may still be going: the completion rate can still rise.")]
    return []
