"""What visitors do with the demo's companion stands in insights as soon as somebody looks."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import BrowserContext, Page
from sqlalchemy.orm import Session

from api.runtime import create
from leitstand.db.engine import get_engine
from leitstand.db.models import Workspace
from leitstand.embedded.postgres import Cluster
from leitstand.settings import REPOSITORY
from tests.browser.dashboards import Shown, open_page, serving, token_of
from tests.browser.test_runtime import go_through, open_to_all
from tests.integration.panel_apps.support import Running
from tests.live import served
from tests.services import new_owner

WITHIN_SECONDS = 15.0
STEPS = "Steps of the flow"


@dataclass
class Desk:
    """The help desk with its link, and insights as an owner sees them."""

    link: str
    insights: Running
    token: str


@pytest.fixture
def desk(cluster: Cluster, services: dict[str, object]) -> Iterator[Desk]:
    def prepare() -> dict[str, str]:
        with Session(get_engine(), expire_on_commit=False) as session:
            workspace = Workspace(slug="demo", name="Demo")
            session.add(workspace)
            session.commit()
            token = token_of(session, workspace, "owner")
            flow = (REPOSITORY / "demo" / "companions" / "help-desk.json").read_bytes()
            open_to_all(session, new_owner(session, workspace), flow, "help-desk")
            return {"owner": token}

    with serving(cluster, services, prepare) as (server, tokens), served(create()) as runtime:
        yield Desk(f"{runtime}/c/help-desk", server, tokens["owner"])


def test_where_visitors_leave_is_seen_within_seconds(
    desk: Desk, new_context: Callable[..., BrowserContext]
) -> None:
    looks_only: Page = new_context().new_page()
    looks_only.goto(desk.link)
    looks_only.get_by_role("button", name="Something is very slow").click()
    looks_only.get_by_role("button", name="Since today").wait_for()
    go_through(new_context().new_page(), desk.link)

    began = time.monotonic()
    page = open_page(new_context(), desk.insights, desk.token, "/flow?companion=help-desk")
    shown = Shown.on(page)

    assert time.monotonic() - began < WITHIN_SECONDS
    assert shown.tiles["Started runs"][0] == "2"
    assert shown.tiles["Completed runs"][0] == "1"
    reached = {row[0]: row[1:3] for row in shown.table(STEPS)}
    assert reached["area"] == ["2", "1"], "one answered it and not what came next"
    assert reached["since"] == ["1", "0"]
