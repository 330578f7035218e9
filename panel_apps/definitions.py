"""What each figure means, in a sentence: what docs/guide/figures.md says, for whoever points at it or tabs to it."""

from html import escape

from panel_apps.speech import told

DEFINITIONS: dict[str, str] = {
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
    "diagram": "Steps from first to last with the runs that reached each, those that reached no later one, and how long half of them stayed. A way counts the runs that first reached its end right after its beginning. Choose a step to list its runs.",
    "step-time": "From first reaching the step to first reaching the next one, of the runs that went on.",
    "step-runs": "Runs that began in the range and reached the step, each once.",
    "versions": "The runs that began in the range by the version of the flow that they began on: editing a flow rewrites no history.",
    "ingested": "Events of the files whose import began on that local day: accepted, refused, or there already.",
    "accepted": "Events of imported files that were taken; each once, however often it is sent.",
    "refused": "Events that could not be taken, as they came, with the reason; they are kept and can be looked at.",
    "files": "Imports of event files that began in the range.",
    "documents": "Documents by the local day of their upload and by what became of them, in the spaces that you may see.",
    "ready": "Documents uploaded in the range that have been read and can be searched.",
    "failed": "Documents uploaded in the range that could not be read; they are kept, and can be read again.",
    "latency": "From the upload until the document was last made ready: half of them took no longer. One that was read again later counts until then.",
    "jobs": "Jobs of the whole installation that were asked for in the range, by what became of them.",
    "flows": "Executions of flows that began in the range, one an instant of the schedule.",
    "work-time": "From start to end, of those that succeeded.",
    "usage-events": "Accepted events by the local month in which they occurred; each counted once.",
    "usage-runs": "Runs by the local month in which they began.",
    "usage-months": "Events, runs and different people of each local month. People of several months don't add up.",
    "monthly-users": "Different people with at least one event in the local month. They don't add up over months, so they are not foretold either.",
    "stored": "Documents of all of the workspace's spaces as they are now, whatever the range and the companion.",
    "forecast": "So far this month, and for each day that follows today the mean day of the last four weeks; in brackets with the weakest and the strongest of these weeks.",
    "threads": "Executions of agents that began in the range, by what has become of them.",
    "agents": "The threads of the range by agent. Those that you may not open and those that are gone stand in one row.",
    "thread-failures": "Threads of the range that failed, by the reason that they give; of agents that you may open.",
    "thread-time": "How long threads that succeeded were worked on. Waiting for a worker or for a person does not count.",
    "model-questions": "What models were asked in the range: by agents, by the assistant, by companions and by people who ask spaces.",
    "tokens": "Of questions and of answers together, as the endpoint counts them; estimated where it does not say.",
    "cost": "Tokens by the prices that stood at the endpoint when it was asked. Files have it in millionths, as whole numbers.",
    "answer-time": "From the question until the answer was complete, waits and repetitions included; of those that had one.",
    "usage-tokens": "Tokens of models by the local month in which they were asked, of the whole workspace.",
    "steps": "Drop-off: of the runs that reached a step, those that reached no later step of the funnel. A run counts once.",
    "popular": "Use that fades by half every 14 days: a completed run counts 3, a run 2, opening 1, once a person and day; an official companion's count 1.15 times. Owners' own use is left out.",
    "top": "By runs that began in the range.",
    "retention": "Of the people first seen in a week, the share that was active so many weeks later. A week that has not ended is blank.",
}


def definitions() -> dict[str, str]:
    """All of them in the language that is spoken."""
    return {name: told(words) for name, words in DEFINITIONS.items()}


def defined(title: str, definition: str) -> str:
    """A title with its definition as HTML, both as they are marked: shown on hovering and on focus, and read out."""
    title, definition = told(title), told(definition)
    if not definition:
        return escape(title)
    return (
        f'<span class="defined" tabindex="0">{escape(title)}<span class="visually-hidden">: </span>'
        f'<span class="definition">{escape(definition)}</span></span>'
    )
