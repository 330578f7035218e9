"""What each figure means, in a sentence: what docs/guide/figures.md says, for whoever points at it or tabs to it."""

from html import escape

DEFINITIONS = {
    "active": "Different people with at least one event in the range. Bots, tests and previews don't count.",
    "active-days": "Different people with at least one event on the local day (DAU), and in the 7 (WAU) and 30 days (MAU) ending with it.",
    "new": "People whose first event ever in the workspace (or on the companion) lies in that time.",
    "returning": "People active in that time who were seen before it. Those of several days don't add up: somebody may be in each.",
    "by-companion": "Different people with an event on each companion in the range, and how many of them used it for the first time. Somebody may use several, so the rows don't add up.",
    "viewed": "Runs that were loaded, by the local day on which they began.",
    "started": "Runs that got their first answer or input.",
    "completed": "Of the runs that began in the range, those that reached an end step after at least one input, whenever they did.",
    "traffic": "Runs that were viewed, started and completed, by the local day on which they began.",
    "rate": "Completed ÷ started, and completed ÷ viewed beside it. A run counts on the day it started.",
    "duration": "From the first to the last event of a completed run: the median, and the time within which 95% of them ended.",
    "sessions": "A person's events on one companion without a pause of more than 30 minutes.",
    "steps": "Drop-off: of the runs that reached a step, those that reached no later step of the funnel. A run counts once.",
    "popular": "Use that fades by half every 14 days: a completed run counts 3, a run 2, opening 1, once a person and day; an official companion's count 1.15 times. Owners' own use is left out.",
    "top": "By runs that began in the range.",
    "retention": "Of the people first seen in a week, the share that was active so many weeks later. A week that has not ended is blank.",
}


def defined(title: str, definition: str) -> str:
    """A title with its definition as HTML: shown on hovering and on focus, and read out with the title."""
    if not definition:
        return escape(title)
    return (
        f'<span class="defined" tabindex="0">{escape(title)}<span class="visually-hidden">: </span>'
        f'<span class="definition">{escape(definition)}</span></span>'
    )
