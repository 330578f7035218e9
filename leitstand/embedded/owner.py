"""The first owner of a new environment."""

from dataclasses import dataclass

from sqlalchemy import Engine, select

from leitstand.db.engine import transaction
from leitstand.db.models import Person
from leitstand.embedded.credentials import readable_password
from leitstand.identity.people import create_owner
from leitstand.identity.workspaces import ensure_workspace

WORKSPACE, WORKSPACE_NAME, ZONE = "demo", "Demo", "Europe/Amsterdam"
NAME = "Owner"


@dataclass(frozen=True)
class Owner:
    """The first owner; the password is kept nowhere else in clear."""

    email: str
    password: str

    def __repr__(self) -> str:
        return f"Owner({self.email!r})"


def ensure_owner(engine: Engine, *, email: str) -> Owner | None:
    """Make the first owner with a random password, in the demo workspace; None where somebody is there already.

    Raises:
        InvalidInput: the e-mail is not fit.
    """
    with transaction(engine) as session:
        workspace = ensure_workspace(session, slug=WORKSPACE, name=WORKSPACE_NAME, zone=ZONE)
        if session.scalar(select(Person.id).limit(1)) is not None:
            return None
        owner = Owner(email, readable_password())
        create_owner(session, email=email, name=NAME, password=owner.password, workspace_id=workspace.id)
    return owner
