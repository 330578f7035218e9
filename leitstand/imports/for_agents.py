"""An import from a bucket, begun by an agent's tool."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from leitstand.errors import NotFound
from leitstand.identity.access import Principal
from leitstand.imports import configured, runs
from leitstand.words import msg


def run_for_agent(session: Session, *, principal: Principal, arguments: Mapping[str, Any]) -> str:
    """Queue a run of the import of that name (`name`), as `runs.start` does; what a model is told.

    Raises:
        NotFound: there is none of that name.
        LeitstandError: as `runs.start`.
    """
    known = configured.list_imports(session, principal=principal)
    found = next((one for one in known if one.name == arguments["name"]), None)
    if found is None:
        names = ", ".join(one.name for one in known[:20]) or "–"
        raise NotFound(
            msg("There is no import {name!r}.", name=arguments["name"]),
            hint=msg("One of {names}.", names=names),
        )
    runs.start(session, principal=principal, import_id=found.id)
    return f"Started: the import {found.name} takes in what is new in its bucket."
