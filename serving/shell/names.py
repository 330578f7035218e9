"""What states, kinds of items and roles are called where people read them."""

from leitstand.words import DEFAULT, N_, translate

STATUS_NAMES = {
    "aborted": N_("Aborted"),
    "accepted": N_("Accepted"),
    "approved": N_("Approved"),
    "archived": N_("Archived"),
    "cancelled": N_("Cancelled"),
    "complete": N_("Complete"),
    "completed": N_("Completed"),
    "crashed": N_("Crashed"),
    "degraded": N_("Degraded"),
    "doing": N_("Running"),
    "done": N_("Done"),
    "down": N_("Down"),
    "draft": N_("Draft"),
    "duplicate": N_("Known already"),
    "error": N_("Error"),
    "failed": N_("Failed"),
    "interrupted": N_("Interrupted"),
    "missing": N_("Missing"),
    "ok": N_("OK"),
    "passed": N_("Passed"),
    "published": N_("Published"),
    "queued": N_("Queued"),
    "refused": N_("Refused"),
    "ready": N_("Ready"),
    "removed": N_("Removed"),
    "removing": N_("Being removed"),
    "restored": N_("Restored"),
    "running": N_("Running"),
    "sent": N_("Sent"),
    "skipped": N_("Skipped"),
    "succeeded": N_("Succeeded"),
    "todo": N_("Waiting"),
    "truncated": N_("Truncated"),
    "unknown": N_("Unknown"),
    "up": N_("Up"),
    "waiting": N_("Waiting"),
    "warning": N_("Warning"),
}
KIND_NAMES = {
    "agent": N_("Agent"),
    "app": N_("App"),
    "board": N_("Board"),
    "collection": N_("Collection"),
    "companion": N_("Companion"),
    "control": N_("Control"),
    "conversation": N_("Conversation"),
    "space": N_("Space"),
    "thread": N_("Thread"),
}
VISIBILITY_NAMES = {
    "workspace": N_("Everybody in the workspace"),
    "private": N_("Only its owner"),
    "shared": N_("People and groups it is shared with"),
    "official": N_("Official"),
    "internal": N_("Internal"),
}
ROLE_NAMES = {
    "admin": N_("admin"),
    "agent builder": N_("agent builder"),
    "analyst": N_("analyst"),
    "creator": N_("creator"),
    "external": N_("external"),
    "member": N_("member"),
    "operator": N_("operator"),
    "owner": N_("owner"),
}


def status_name(status: str, *, language: str = DEFAULT) -> str:
    """A state of an item, a job or a check; one that has no name is shown as it is."""
    return _named(STATUS_NAMES, status, status.capitalize(), language)


def kind_name(kind: str, *, language: str = DEFAULT) -> str:
    """A kind of item, singular."""
    return _named(KIND_NAMES, kind, kind.capitalize(), language)


def visibility_name(visibility: str, *, language: str = DEFAULT) -> str:
    """Who sees an item, by its visibility."""
    return translate(VISIBILITY_NAMES[visibility], language)


def role_name(role: str, *, language: str = DEFAULT) -> str:
    """A role; one that a workspace made itself has the name that it was given."""
    return _named(ROLE_NAMES, role, role, language)


def _named(names: dict[str, str], key: str, otherwise: str, language: str) -> str:
    return translate(names[key], language) if key in names else otherwise
