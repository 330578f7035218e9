"""What the dashboards' script says: it has no text of its own, the page gives it these in a `data-` attribute."""

from panel_apps.speech import told

SCRIPT_WORDS: dict[str, str] = {
    "no-answer": "The server does not answer. Try again in a moment.",
    "failed": "This did not work.",
    "undo": "Undo",
    "chart": "Chart",
    "chosen-day": "Chosen: {first}.",
    "chosen-days": "Chosen: {first} to {last}.",
    "note-edit": "Edit annotation",
    "note-add": "Add an annotation",
    "note-zone": "A time is one of {zone}.",
    "note-changed": "Annotation changed.",
    "note-added": "Annotation added.",
    "note-deleted": "Annotation deleted.",
    "yours": "Yours",
    "yours-shared": "Yours, shared",
    "shared-with-you": "Shared with you",
    "your-first": "your first",
    "workspace-first": "the workspace’s first",
    "rename": "Rename",
    "renamed": "Renamed.",
    "new-name": "New name of {name}",
    "share": "Share",
    "shared": "Shared with the workspace.",
    "keep-private": "Keep private",
    "no-longer-shared": "No longer shared.",
    "my-first": "My first",
    "not-my-first": "Not my first",
    "everybody-first": "Everybody’s first",
    "not-everybody-first": "Not everybody’s first",
    "delete": "Delete",
    "saved": "Saved.",
    "saved-for-all": "Saved for the workspace.",
    "view-deleted": "View deleted.",
    "view-saved": "View saved.",
}


def script_words() -> dict[str, str]:
    """All of them in the language that is spoken; {names} are the script's to fill."""
    return {name: told(words) for name, words in SCRIPT_WORDS.items()}
