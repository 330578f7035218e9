"""A site with something on every page: one of everything that an address can name, and long titles that do not fit.

`addresses(grounds, role)` is every page of the web application; `PAGES` names one address for each template of a page.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import jinja2
from jinja2 import nodes
from sqlalchemy.orm import Session

import web.app
from leitstand.catalogue import contents, favorites
from leitstand.catalogue.areas import LEGACY_ROUTES
from leitstand.companions import versions
from leitstand.companions.flow import parse_flow
from leitstand.db.models import (
    AppSchedule,
    Backup,
    CheckRun,
    Drill,
    EvidenceLink,
    PeopleGroup,
    Thread,
    ThreadStep,
)
from leitstand.db.models.agents import OPEN_STATUSES, STEP_STATUSES, THREAD_STATUSES
from leitstand.events import intake
from leitstand.identity import invitations, password_resets, sessions, tokens
from leitstand.identity.access import PERMISSIONS, Principal
from leitstand.jobs import queue
from leitstand.reports.unsubscribe_links import Link, token_of
from serving import shell
from tests.browser.conftest import BROWSER, Site
from tests.integration.permissions.planting import Ids, Place, own, plant_in
from tests.integration.permissions.world import _found, parameters, routes_of
from tests.people import join
from web.pages import TEMPLATES
from web.routes.flows import example

LONG = "Donaudampfschifffahrtsgesellschaftskapitänsmützenverwaltung mit einem Namen ohne Ende"
FAILING = {
    "name": "person-has-address", "suite": "people", "table": "person", "says": LONG, "success": False, "unexpected": 2,
    "examples": [{"id": "x" * 80}], "error": "", "skipped": "",
}  # fmt: skip
NOBODY = "nobody"
NOW = datetime.now(UTC)
# Not pages: what is downloaded or only drawn, the proxy's question, the way back from a provider, and old addresses.
NO_PAGE = (
    "/static/", "/favicon.ico", "/auth/operator", "/sign-in/with/", "/sign-in/callback", "/sign-in/code",
    "/settings/profile/two-step", "/reports/list", "/operations/checks/runs/", *LEGACY_ROUTES,
)  # fmt: skip
FILES = (
    "/export",
    "/file",
    ".csv",
    ".json",
    ".pdf",
    ".ipynb",
    ".html",
    ".svg",
    "usage.{form}",
    "/state",
    "/attachments/{attachment_id}",
)

# One address for every template of a page, and for what an item of a kind holds and asks.
PAGES = {
    "assistant.html": "/assistant", "audit.html": "/settings/audit",
    "backup.html": "/operations/backups/{backup_id}", "backups.html": "/operations/backups", "billing.html": "/settings/billing",
    "check_suite.html": "/operations/checks/{name}", "checks.html": "/operations/checks",
    "conversation.html": "/conversations/{item_id}", "conversations.html": "/conversations",
    "drill.html": "/operations/drills/{drill_id}", "external_user.html": "/external-users/{person_id}",
    "external_users.html": "/external-users", "favorites.html": "/favorites", "flow/canvas.html": "/companions/{item_id}/flow/canvas",
    "flow/outline.html": "/companions/{item_id}/flow", "flow/preview.html": "/companions/{item_id}/flow/preview",
    "flow/step.html": "/companions/{item_id}/flow/steps/new",
    "forgot_password.html": "/forgot-password", "status.html": "/status", "group.html": "/groups/{group_id}", "groups.html": "/groups", "home.html": "/",
    "insights.html": "/insights", "integrations.html": "/settings/integrations",
    "invoice.html": "/settings/billing/invoices/{invoice_id}", "items/canvas.html": "/boards/{item_id}/canvas",
    "items/form.html": "/companions/new", "items/form/agent.html": "/agents/{item_id}/edit",
    "items/form/app.html": "/apps/{item_id}/edit", "items/form/control.html": "/controls/{item_id}/edit",
    "items/form/space.html": "/spaces/{item_id}/edit", "items/held/agent.html": "/agents/{item_id}",
    "items/held/app.html": "/apps/{item_id}", "items/held/board.html": "/boards/{item_id}",
    "items/held/collection.html": "/collections/{item_id}", "items/held/companion.html": "/companions/{item_id}",
    "items/held/control.html": "/controls/{item_id}", "items/held/space.html": "/spaces/{item_id}",
    "items/history.html": "/agents/{item_id}/history", "items/import.html": "/agents/import", "items/list.html": "/companions",
    "join.html": "/join/{token}", "join_gone.html": "/join/unknown", "member.html": "/settings/members/{person_id}",
    "members.html": "/settings/members", "membership.html": "/settings/membership",
    "model_endpoint.html": "/settings/integrations/models/{endpoint_id}", "model_endpoints.html": "/settings/integrations/models",
    "operations.html": "/operations", "organisation.html": "/settings/organisation", "piece.html": "/operations/services",
    "problem.html": "/nowhere", "profile.html": "/settings/profile", "refusals.html": "/refusals",
    "report.html": "/reports/{report_id}", "report_unsubscribe.html": "/reports/unsubscribe/{token}", "reports.html": "/reports",
    "reset_password.html": "/reset-password/{token}", "retention.html": "/operations/backups/retention",
    "role.html": "/settings/roles/{name}", "roles.html": "/settings/roles", "run.html": "/operations/runbooks/runs/{run_id}",
    "runbook.html": "/operations/runbooks/{name}", "runbooks.html": "/operations/runbooks",
    "s3_import.html": "/settings/integrations/s3-imports/{import_id}",
    "s3_import_form.html": "/settings/integrations/s3-imports/new",
    "s3_imports.html": "/settings/integrations/s3-imports", "search.html": "/search",
    "share.html": "/share/{item_id}", "sign_on.html": "/settings/integrations/sign-on", "tool.html": "/settings/tools/{tool_id}",
    "tool_server.html": "/settings/tools/server", "tools.html": "/settings/tools", "thread.html": "/threads/{thread_id}", "threads.html": "/threads", "trash.html": "/trash",
    "webhook.html": "/settings/integrations/webhooks/{webhook_id}",
    "webhook_delivery.html": "/settings/integrations/webhooks/{webhook_id}/deliveries/{delivery_id}",
    "webhook_form.html": "/settings/integrations/webhooks/new", "webhooks.html": "/settings/integrations/webhooks",
}  # fmt: skip
# Pages that answer a form, in the order in which `walking.doings` fills them, and the one that needs no session.
ANSWERS = ("billing_away.html", "two_step.html", "recovery_codes.html", "sign_in_code.html")
SIGNED_OUT = "sign_in.html"


@dataclass
class Someone:
    """Who is signed in, and the ids of what is theirs."""

    token: str
    principal: Principal
    ids: Ids


@dataclass
class Grounds:
    """The site, what is on it, and who walks it."""

    site: Site
    session: Session
    place: Place
    people: dict[str, Someone] = field(default_factory=dict)

    def someone(self, role: str) -> Someone:
        """Whoever has the role, signed in."""
        if role not in self.people:
            person = join(self.session, self.site.workspace, role=role, email=f"{role[:5]}@site.test")
            signed_in = sessions.open_for(
                self.session, person_id=person.id, user_agent=BROWSER, by="test", workspace_id=self.site.workspace.id
            )  # fmt: skip
            ids = own(self.session, signed_in.principal)
            self.session.commit()
            self.people[role] = Someone(signed_in.token, signed_in.principal, ids)
        return self.people[role]

    def address(self, path: str, role: str) -> str:
        """A route's path with an id for each of its parameters."""
        ids = self.place.ids | (self.someone(role).ids if role != NOBODY else {})
        for name in parameters(path):
            path = path.replace(f"{{{name}:path}}", f"{{{name}}}").replace(
                f"{{{name}}}", _found(path, name, ids)
            )
        return path


def furnished(session: Session, site: Site) -> Grounds:
    """One of everything, and on top of it what is long, failed, waits or was taken back."""
    place = plant_in(session, site.workspace)
    grounds = Grounds(site, session, place)
    owner = grounds.someone("owner").principal
    session.get_one(PeopleGroup, UUID(place.ids["group_id"])).name = LONG[:40]
    _catalogue(session, owner, place.ids)
    _operations(session, place.ids)
    intake.take_in(
        session, principal=owner, events=intake.read_ndjson(f'{{"kind": "{LONG}"}}\n{LONG * 3}'.encode())
    )
    tokens.create(session, principal=owner, name=LONG, permissions=PERMISSIONS)
    _links(session, owner, place.ids)
    session.commit()
    return grounds


def _catalogue(session: Session, owner: Principal, ids: Ids) -> None:
    """An item of every kind with something in it, under titles that do not fit."""
    schema = {
        "type": "object",
        "properties": {"a": {"enum": ["x", LONG]}, "b": {"type": "boolean", "title": LONG}},
    }
    notes = [
        {"id": name, "text": LONG, "x": 40, "y": at, "colour": "red"} for at, name in ((0, "a"), (300, "b"))
    ]
    given = [{"name": "a", "label": LONG, "field": "choice", "options": [LONG]}]

    def make(kind: str, route: str, content: dict[str, object]) -> str:
        item = contents.create(
            session, principal=owner, kind=kind, title=LONG, content=content, tags=[LONG[:40]]
        )
        contents.save(session, principal=owner, item_id=item.id, description=LONG)
        ids[f"{route} item_id"] = str(item.id)
        return str(item.id)

    space = make("space", "/spaces", {"sources": LONG})
    make("control", "/controls", {"schema": schema})
    agent = make("agent", "/agents", {"instructions": LONG, "tools": ["a" * 60], "spaces": [space]})
    app = make("app", "/apps", {"agent_id": agent, "inputs": given, "output": "table"})
    _threads(session, owner, UUID(agent), UUID(app))
    make("collection", "/collections", {"entries": [{"item_id": agent, "note": LONG}]})
    make("board", "/boards", {"notes": notes, "links": [{"from": "a", "to": "b", "label": LONG[:80]}]})
    companion = UUID(ids["/companions item_id"])
    contents.save(session, principal=owner, item_id=companion, title=LONG, description=LONG, tags=[LONG[:40]])
    versions.save_version(session, principal=owner, companion_id=companion, flow=parse_flow(example("x")))
    versions.publish(session, principal=owner, companion_id=companion)
    for one in (companion, UUID(agent)):
        favorites.add_favorite(session, principal=owner, item_id=one)


def _threads(session: Session, owner: Principal, agent_id: UUID, app_id: UUID) -> None:
    """Threads in every state, one with a table for an answer, and a schedule with a problem."""
    here = {
        "workspace_id": owner.workspace_id,
        "person_id": owner.person_id,
        "agent_id": agent_id,
        "app_id": app_id,
    }
    told = {"title": LONG, "instructions": "", "model": "m" * 60, "tools": ["a" * 60], "spaces": []}
    limits = {"steps": 20, "seconds": 300, "tokens": 100_000, "cost": 500_000}
    asked = {"text": LONG * 3, "inputs": {"a": LONG}}
    table = json.dumps([{LONG: LONG, "b": "y" * 80}])
    for status in THREAD_STATUSES:
        ended = NOW if status not in OPEN_STATUSES else None
        thread = Thread(
            **here, title=LONG, status=status, agent=told, limits=limits, input=asked, finished_at=ended, cost=12_345,
            output=table if status == "succeeded" else "", error=LONG if status == "failed" else "", trace="x" * 32,
        )  # fmt: skip
        session.add(thread)
        session.flush()
        for at, step in enumerate(STEP_STATUSES, 1):
            kind = "tool" if step in ("waiting", "approved", "refused", "unknown") else "model"
            call = {"id": "c", "name": "a" * 60, "arguments": "{" + "z" * 900}
            result = {"text": f"# {LONG}\n\n{'w' * 90}\n\n| {LONG} |\n| - |\n| x |", "calls": [call]}
            session.add(
                ThreadStep(
                    workspace_id=owner.workspace_id, thread_id=thread.id, position=at, kind=kind, status=step,
                    name="a" * 60, arguments={"to": "q" * 90}, result=result if step == "succeeded" else {},
                    error=LONG if step == "failed" else "", prompt_tokens=900, cost=77, started_at=NOW, finished_at=NOW,
                )
            )  # fmt: skip
    del here["agent_id"]
    session.add(
        AppSchedule(**here, cron="0 7 * * 1-5", zone="Europe/Vienna", inputs={}, next_at=NOW, problem=LONG)
    )
    session.flush()


def _operations(session: Session, ids: Ids) -> None:
    """A failed drill, a backup, checks, a runbook that ended and was signed, and one that waits."""
    drill = Drill(
        kind="postgres-latest", status="failed", rpo_seconds=1, rto_seconds=2, notebook=f"s3://x/{'y' * 80}", error=LONG,
        figures={"a": [1, 2]},
    )  # fmt: skip
    backup = Backup(kind="postgres", engine="pg_basebackup", location=f"s3://x/{'y' * 80}", reason=LONG)
    result = {"results": [FAILING], "run_id": "x", "documents": "s3://x/y", "seconds": 2}
    checked = [
        CheckRun(suite="events", target="live", success=True, evaluated=1, failed=0, result={}),
        CheckRun(suite="people", target="live", success=False, evaluated=1, failed=1, result=result),
    ]
    figures = {"checks": [{"name": LONG, "verdict": "passed", "detail": LONG * 3}]}
    ended = Drill(
        kind="objects-lost", category="runbook", status="failed", error=LONG, requested_by=LONG,
        parameters={"prefix": LONG, "dry_run": True}, figures=figures,
    )  # fmt: skip
    progress = {"number": 2, "count": 5, "heading": LONG, "output": LONG * 9}
    waiting = Drill(kind="objects-lost", category="runbook", status="waiting", figures={"progress": progress})
    session.add_all([drill, backup, *checked, ended, waiting])
    session.flush()
    for run in (ended, waiting):
        run.lineage = run.id
    about = {"run_id": waiting.id, "name": waiting.kind, "parameters": {}, "typed": "", "requested_by": ""}
    queue.enqueue(session, "operations.runbook", **about)
    signed = {"signer": LONG, "note": LONG * 2, "four_eyes": True, "ran_by": LONG, "run_sha256": "1" * 64}
    for number, kind in ((1, "run"), (2, "signature")):
        session.add(
            EvidenceLink(
                sequence=number, kind=kind, run_id=ended.id, at=datetime.now(UTC), content=signed,
                previous_sha256=str(number - 1) * 64, sha256=str(number) * 64,
            )
        )  # fmt: skip
    ids |= {
        "drill_id": str(drill.id), "backup_id": str(backup.id), "/operations/runbooks run_id": str(ended.id),
        "/operations/checks/runs run_id": str(checked[1].id), "waiting run": str(waiting.id),
    }  # fmt: skip


def _links(session: Session, owner: Principal, ids: Ids) -> None:
    """What comes by mail: an invitation, a new password, an end of a subscription."""
    sent = invitations.invite(session, principal=owner, emails=["new@site.test"], role="agent builder")
    password_resets.request(session, email=owner.email, address="")
    reset = session.query(password_resets.PasswordReset).one()
    ids |= {
        "/join token": invitations.token_of(sent[0].invitation.id),
        "/reset-password token": password_resets._token(password_resets.signing_key(), reset.id),
        "/reports/unsubscribe token": token_of(Link(owner.workspace_id, owner.person_id, "weekly-insights")),  # type: ignore[arg-type]
    }


def page_routes() -> list[str]:
    """The path of every route that answers with a page."""
    paths = [path for method, path in routes_of(web.app) if method == "GET"]
    return [path for path in paths if not path.startswith(NO_PAGE) and not path.endswith(FILES)]


def page_templates() -> set[str]:
    """The templates of whole pages, as they are named when they are rendered."""
    return {
        str(path.relative_to(folder))
        for folder in (TEMPLATES, shell.TEMPLATES)
        for path in folder.rglob("*.html")
        if _is_page(path)
    }


def kind_templates() -> set[str]:
    """The templates of what an item of each kind holds, and of the form that asks for it."""
    return {
        str(path.relative_to(TEMPLATES))
        for name in ("held", "form")
        for path in (TEMPLATES / "items" / name).glob("*.html")
    }


def _is_page(path: Path) -> bool:
    parsed = jinja2.Environment(extensions=["jinja2.ext.i18n"]).parse(path.read_text())
    return any(
        isinstance(one.template, nodes.Const) and one.template.value == "shell.html"
        for one in parsed.find_all(nodes.Extends)
    )
