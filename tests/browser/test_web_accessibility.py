"""Every page: no violation that axe finds, light and dark; nothing wider than the narrowest screen."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page
from sqlalchemy.orm import Session

from leitstand.catalogue import companions, favorites, trash
from leitstand.catalogue.areas import AREAS
from leitstand.companions import versions
from leitstand.companions.flow import parse_flow
from leitstand.db.models import Backup, CheckRun, Drill, EvidenceLink
from leitstand.events import intake
from leitstand.identity import tokens
from leitstand.identity.access import PERMISSIONS, ROLES, Principal
from leitstand.jobs import queue
from tests.browser.conftest import Site, sign_in
from web.routes.flows import example

LONG = "Donaudampfschifffahrtsgesellschaftskapitänsmützenverwaltung with a name that does not end"
FAILING = {
    "name": "person-has-address", "suite": "people", "table": "person", "says": LONG, "success": False, "unexpected": 2,
    "examples": [{"id": "x" * 80}], "error": "", "skipped": "",
}  # fmt: skip


def operate(session: Session) -> list[str]:
    """A failed drill, a backup, checks and runs of a runbook; the addresses that show them."""
    drill = Drill(
        kind="postgres-latest",
        status="failed",
        rpo_seconds=1,
        rto_seconds=2,
        notebook=f"s3://x/{'y' * 80}",
        error=LONG,
        figures={"a": [1, 2]},
    )
    backup = Backup(kind="postgres", engine="pg_basebackup", location=f"s3://x/{'y' * 80}", reason=LONG)
    session.add_all(
        [
            drill,
            backup,
            CheckRun(suite="events", target="live", success=True, evaluated=1, failed=0, result={}),
            CheckRun(
                suite="people",
                target="live",
                success=False,
                evaluated=1,
                failed=1,
                result={"results": [FAILING], "run_id": "x", "documents": "s3://x/y", "seconds": 2},
            ),
        ]
    )
    session.flush()
    return [
        f"/operations/drills/{drill.id}",
        "/operations/checks",
        "/operations/checks/people",
        "/operations/checks/audit",
        "/operations/backups",
        "/operations/backups/retention",
        f"/operations/backups/{backup.id}",
        *run_runbooks(session),
    ]


def run_runbooks(session: Session) -> list[str]:
    """A runbook that ended and was signed, and one that waits; the addresses that show them."""
    finished = Drill(
        kind="objects-lost",
        category="runbook",
        status="failed",
        error=LONG,
        requested_by=LONG,
        parameters={"prefix": LONG, "dry_run": True},
        figures={"checks": [{"name": LONG, "verdict": "passed", "detail": LONG * 3}]},
    )
    followed = Drill(
        kind="objects-lost",
        category="runbook",
        status="waiting",
        figures={"progress": {"number": 2, "count": 5, "heading": LONG, "output": LONG * 9}},
    )
    session.add_all([finished, followed])
    session.flush()
    queue.enqueue(
        session,
        "operations.runbook",
        run_id=followed.id,
        name=followed.kind,
        parameters={},
        typed="",
        requested_by="",
    )
    for number, kind in ((1, "run"), (2, "signature")):
        content = {
            "signer": LONG,
            "note": LONG * 2,
            "four_eyes": True,
            "ran_by": LONG,
            "run_sha256": "1" * 64,
        }
        session.add(
            EvidenceLink(
                sequence=number,
                kind=kind,
                run_id=finished.id,
                at=datetime.now(UTC),
                content=content,
                previous_sha256=str(number - 1) * 64,
                sha256=str(number) * 64,
            )
        )
    return [
        "/operations/runbooks",
        "/operations/runbooks/objects-lost",
        f"/operations/runbooks/runs/{finished.id}",
        f"/operations/runbooks/runs/{followed.id}",
    ]


@pytest.fixture
def pages(session: Session, site: Site) -> list[str]:
    """Every address of the site, with something to show on each."""
    owner = Principal(site.person.id, site.workspace.id, "", site.email, "owner", ROLES["owner"])
    made = [
        companions.create(
            session, principal=owner, title=f"{LONG} {n}", description=LONG, tags=["books", LONG[:40]]
        )
        for n in range(3)
    ]
    versions.save_version(session, principal=owner, companion_id=made[0].id, flow=parse_flow(example("x")))
    versions.publish(session, principal=owner, companion_id=made[0].id)
    for item in made[:2]:
        favorites.add_favorite(session, principal=owner, item_id=item.id)
    trash.trash_item(session, principal=owner, item_id=made[2].id)
    operations = operate(session)
    given = intake.read_ndjson(f'{{"kind": "{LONG}"}}\n{LONG * 3}'.encode())
    intake.take_in(session, principal=owner, events=given)
    tokens.create(session, principal=owner, name=LONG, permissions=PERMISSIONS)
    session.commit()
    address = f"/companions/{made[0].id}"
    more = [
        address,
        f"{address}/edit",
        f"{address}/flow",
        "/companions/new",
        "/search?q=do",
        "/companions?q=nothing",
        "/nowhere",
    ]
    return [*(area.route for area in AREAS), *more, *operations]


def violations(page: Page) -> list[str]:
    """What axe finds, as `rule: element`."""
    found = Axe().run(page).response["violations"]
    return [f"{page.url} {rule['id']}: {node['html'][:160]}" for rule in found for node in rule["nodes"]]


def settled(page: Page, address: str) -> Page:
    page.goto(address)
    page.wait_for_load_state("networkidle")
    return page


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(
    new_context: Callable[..., BrowserContext], site: Site, pages: list[str], scheme: str
) -> None:
    page = new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900}).new_page()
    page.goto(f"{site.base_url}/sign-in")
    found = violations(page)
    sign_in(page, site.base_url, site.email, site.password)
    for path in pages:
        found += violations(settled(page, site.base_url + path))
    page.keyboard.press("Control+k")
    page.get_by_role("option").first.wait_for()
    found += violations(page)
    assert found == []


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, pytest.param(768, marks=pytest.mark.long)])
def test_nothing_is_wider_than_the_screen(
    new_context: Callable[..., BrowserContext], site: Site, pages: list[str], width: int
) -> None:
    page = new_context(viewport={"width": width, "height": 780}).new_page()
    page.goto(f"{site.base_url}/sign-in")
    wide = [] if fits(page) else ["/sign-in"]
    sign_in(page, site.base_url, site.email, site.password)
    wide += [path for path in pages if not fits(settled(page, site.base_url + path))]
    assert wide == []


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))
