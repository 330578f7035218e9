"""Annotations as dashboards show them: lines in the charts, words in the tooltips, a list beside."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from html import escape
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from leitstand.identity.access import Principal
from leitstand.insights import annotations
from leitstand.words import N_
from panel_apps.charts import MARKS, Mark
from panel_apps.parts import nothing
from panel_apps.speech import clock, say, told
from panel_apps.speech import day as day_form

KINDS = {"release": N_("Release"), "incident": N_("Incident"), "note": N_("Note")}


@dataclass(frozen=True)
class Happened:
    """One annotation as it stands in a dashboard's zone.

    Args:
        local: its naive local time; midnight for a whole day.
        whole_day: whether it is about a day and not an instant.
        mine: whether the person may change it.
    """

    id: UUID
    kind: str
    text: str
    author: str
    local: datetime
    whole_day: bool
    mine: bool

    @property
    def mark(self) -> Mark:
        """Its line in a chart."""
        return Mark(self.local, self.kind)

    @property
    def words(self) -> str:
        """What a tooltip says of it."""
        return f"{told(KINDS[self.kind])}: {self.text}"

    @property
    def when(self) -> str:
        """Its day, and its time where it has one."""
        return day_form(self.local.date()) + ("" if self.whole_day else f", {clock(self.local)}")


def happened(
    session: Session, principal: Principal, *, start: date, end: date, zone: str
) -> tuple[Happened, ...]:
    """The annotations of a range of local days, oldest first; none for who may not read insights."""
    if not principal.may("insights:read"):
        return ()
    found = annotations.list_annotations(session, principal=principal, start=start, end=end, zone=zone)
    place = ZoneInfo(zone)
    return tuple(
        Happened(
            one.id,
            one.kind,
            one.text,
            one.author,
            annotations.begins(one, zone).astimezone(place).replace(tzinfo=None),
            one.at is None,
            annotations.may_change(principal, one),
        )
        for one in found
    )


def said_with(
    labels: Sequence[str], times: Sequence[date], notes: Sequence[Happened], end: date
) -> list[str]:
    """Labels of the points of a chart, each with what happened between it and the next point.

    Args:
        labels: as they are without.
        times: the day at which each point stands, ascending.
        end: the day after the last point's time.
    """
    ends = [*times[1:], end][: len(times)]
    return [
        " · ".join([label, *(note.words for note in notes if begin <= note.local.date() < until)])
        for label, begin, until in zip(labels, times, ends, strict=True)
    ]


def list_html(notes: Sequence[Happened]) -> str:
    """The annotations as a list, with buttons for those that the person may change."""
    if not notes:
        return nothing(say("Nothing was noted in this range."))
    return f'<ul class="rows happened">{"".join(_entry(note) for note in notes)}</ul>'


def _entry(note: Happened) -> str:
    colour, dash = MARKS[note.kind]
    key = f'<i class="key {dash}" style="--key:{colour}"></i>'
    buttons = _buttons(note) if note.mine else ""
    author = f'<span class="muted">{escape(note.when)} · {escape(note.author)}</span>'
    return (
        f'<li>{key}<span class="what"><strong>{told(KINDS[note.kind])}</strong> {escape(note.text)}{author}</span>'
        f"{buttons}</li>"
    )


def _buttons(note: Happened) -> str:
    time = "" if note.whole_day else f"{note.local:%H:%M}"
    held = (
        f'data-note="{note.id}" data-kind="{note.kind}" data-text="{escape(note.text)}" '
        f'data-day="{note.local.date()}" data-time="{time}"'
    )
    named = f'<span class="visually-hidden"> {escape(note.words)}</span>'
    return (
        f'<span class="acts"><button type="button" {held} data-act="edit">{say("Edit")}{named}</button> '
        f'<button type="button" {held} data-act="delete">{say("Delete")}{named}</button></span>'
    )
