"""Items taken in from a file, companions with flows that can be run."""

from typing import Any

from sqlalchemy.orm import Session

from leitstand.catalogue import imports
from leitstand.catalogue.imports import Planned
from leitstand.companions.flow import kept, read_draft
from leitstand.identity.access import Principal


def import_items(
    session: Session, *, principal: Principal, data: bytes, form: str, kind: str = "", dry_run: bool = False
) -> list[Planned]:
    """Take in a file of items; see `leitstand.catalogue.imports.import_items`, whose arguments and errors it has."""
    return imports.import_items(
        session,
        principal=principal,
        data=data,
        form=form,
        check_flow=_checked_flow,
        kind=kind,
        dry_run=dry_run,
    )


def _checked_flow(flow: Any) -> dict[str, Any]:
    return kept(read_draft(flow))
