"""Who sits at the terminal, for the record of what they do, and for whom they do it."""

import os
import pwd
import socket

from sqlalchemy.orm import Session

from leitstand.errors import NotFound
from leitstand.identity.access import Principal
from leitstand.identity.people import find_person
from leitstand.identity.standing import principal_of
from leitstand.identity.workspaces import find_workspace


def at_the_terminal() -> str:
    """The person's account on this machine, as `anna on backup-1`; behind sudo the one who called it."""
    try:
        account = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        account = f"uid {os.getuid()}"
    caller = os.environ.get("SUDO_USER", "")
    name = caller if account == "root" and caller else account
    return f"{name} on {socket.gethostname()}"


def member(session: Session, workspace: str, email: str) -> Principal:
    """A person of a workspace with what their role permits, so that nothing is done for them that they may not.

    Raises:
        NotFound: there is no such workspace or person, or they may not sign in there.
    """
    place, person = find_workspace(session, workspace), find_person(session, email)
    found = principal_of(session, workspace_id=place.id, person_id=person.id)
    if found is None:
        raise NotFound(
            f"{email} is disabled, or does not belong to {workspace}.",
            hint=f"`leitstand person list --workspace {workspace}` shows everybody.",
        )
    return found
