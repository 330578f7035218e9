"""What the application itself writes violates no check: people, sessions, companions with versions and visitors, events."""

import pytest
from sqlalchemy.orm import Session

from leitstand.catalogue import companions, favorites, trash
from leitstand.checks.ingested import ask_for_checks
from leitstand.checks.run import run_checks
from leitstand.companions import runs, versions
from leitstand.companions.flow import parse_flow
from leitstand.db.models import Workspace
from leitstand.events import intake
from leitstand.identity import sessions, tokens
from leitstand.identity.access import PERMISSIONS
from leitstand.settings import Settings
from tests.people import PASSWORD, join
from web.routes.flows import example


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_the_application_writes_violates_nothing(
    session: Session, settings: Settings, workspace: Workspace
) -> None:
    person = join(session, workspace)
    principal = sessions.sign_in(
        session, email=person.email, password=PASSWORD, address="", user_agent="browser"
    ).principal
    made = [companions.create(session, principal=principal, title=f"Shop {n}") for n in range(2)]
    versions.save_version(
        session, principal=principal, companion_id=made[0].id, flow=parse_flow(example("x"))
    )
    link = versions.publish(session, principal=principal, companion_id=made[0].id)
    opened = runs.find_open(session, link.slug)
    runs.open_run(session, companion=opened, visitor=runs.visitor_key(workspace.id, "token"))
    favorites.add_favorite(session, principal=principal, item_id=made[0].id)
    trash.trash_item(session, principal=principal, item_id=made[1].id)
    tokens.create(session, principal=principal, name="robot", permissions=PERMISSIONS)
    intake.take_in(session, principal=principal, events=intake.read_ndjson(b'{"kind": "?"}\nnonsense'))
    ask_for_checks(session)
    session.commit()
    result = run_checks(settings.database_url, target="scratch")
    assert [check for check in result.results if not check["success"]] == []
