"""A workspace with one of everything that an address can name, and what belongs to one person there."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from leitstand.catalogue.kinds import KINDS
from leitstand.companions import versions
from leitstand.companions.flow import parse_flow
from leitstand.db import models
from leitstand.identity import sessions
from leitstand.identity.access import EXTERNAL, Principal
from leitstand.identity.sealed import place_of_import, place_of_webhook
from leitstand.identity.sealing import seal
from leitstand.integrations.signing import new_secret
from web.routes.flows import example

SPARE = "spare role"
NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=30)
Ids = dict[str, str]


@dataclass
class Place:
    """A workspace, its owner, and the ids of its things: by parameter, or by a path's beginning and parameter."""

    workspace: models.Workspace
    owner: Principal
    ids: Ids = field(default_factory=dict)


def person(session: Session, workspace: models.Workspace, role: str) -> models.Person:
    """Somebody with a role and no password; their session is opened without one."""
    found = models.Person(email=f"{uuid4().hex}@{workspace.slug}.test", name=f"{role} person")
    session.add(found)
    session.flush()
    session.add(models.Membership(workspace_id=workspace.id, person_id=found.id, role=role))
    session.flush()
    return found


def opened(session: Session, workspace: models.Workspace, role: str) -> sessions.SignedIn:
    """Somebody new with a role, signed in."""
    who = person(session, workspace, role)
    return sessions.open_for(
        session, person_id=who.id, user_agent="test", by="test", workspace_id=workspace.id
    )


def plant(session: Session, slug: str) -> Place:
    """A workspace with one of everything."""
    workspace = models.Workspace(slug=slug, name=slug)
    session.add(workspace)
    session.flush()
    return plant_in(session, workspace)


def plant_in(session: Session, workspace: models.Workspace) -> Place:
    """One of everything in a workspace that has none of it."""
    session.add(models.WorkspaceRole(workspace_id=workspace.id, name=SPARE, permissions=[]))
    place = Place(workspace, opened(session, workspace, "owner").principal)
    _items(session, place)
    _people(session, place)
    _administration(session, place)
    _operations(session, place)
    session.flush()
    return place


def own(session: Session, who: Principal) -> Ids:
    """What belongs to one person: an item, a conversation, a space, a session, a token, a passkey, a note and a view of figures."""
    item = _item(session, who, "companion")
    here = {"workspace_id": who.workspace_id}
    session.add(models.Favorite(person_id=who.person_id, item_id=item.id, position=1))
    browser = models.UserSession(
        **here, person_id=who.person_id, token_hash=uuid4().bytes, expires_at=LATER, user_agent="other"
    )
    token = models.ApiToken(
        **here, person_id=who.person_id, name="t", token_hash=uuid4().bytes, start="x", permissions=[]
    )
    passkey = models.Passkey(person_id=who.person_id, name="key", credential=uuid4().bytes, public_key=b"x")
    notes = [
        models.Annotation(
            **here,
            kind="note",
            day=date(2026, 1, 2),
            text="x",
            author_id=who.person_id,
            author="x",
            deleted_at=gone,
        )
        for gone in (None, NOW)
    ]
    views = [
        models.SavedView(
            **here, owner_id=who.person_id, app="overview", name=f"v{gone}", choices={}, deleted_at=gone
        )
        for gone in (None, NOW)
    ]
    grant = models.ItemGrant(**here, item_id=item.id, person_id=_other(session, who))
    session.add_all([browser, token, passkey, *notes, *views, grant])
    session.flush()
    return (
        _conversation(session, who)
        | _space(session, who)
        | _handed_over(session, who, item)
        | _thread(session, who)
        | {
            "own item": str(item.id),
            "/share item_id": str(item.id),
            "/share grant_id": str(grant.id),
            "/api/v1/items item_id": str(item.id),
            "/api/v1/items grant_id": str(grant.id),
            "/favorites item_id": str(item.id),
            "session_id": str(browser.id),
            "token_id": str(token.id),
            "passkey_id": str(passkey.id),
            "annotation_id": str(notes[0].id),
            "view_id": str(views[0].id),
            "restore annotation_id": str(notes[1].id),
            "restore view_id": str(views[1].id),
        }
    )


def _conversation(session: Session, who: Principal) -> Ids:
    """One with the assistant: an answer that is there, and a file."""
    item = _item(session, who, "conversation", visibility="private")
    here = {"workspace_id": who.workspace_id}
    session.add(models.Conversation(**here, item_id=item.id, partner="assistant"))
    session.flush()
    asked, said = (
        models.ConversationMessage(
            **here, conversation_id=item.id, position=at, parent=at - 1 or None, said_by=by, text="x"
        )
        for at, by in enumerate(("person", "assistant"), start=1)
    )
    session.add_all([asked, said])
    session.flush()
    file = models.ConversationAttachment(
        **here,
        conversation_id=item.id,
        name="x.txt",
        object_key="x",
        media_type="text/plain",
        bytes=1,
        sha256="x",
    )
    session.add(file)
    session.flush()
    ids = {f"{start} item_id": str(item.id) for start in ("/conversations", "/api/v1/conversations")}
    return ids | {
        "message_id": str(said.id), "edit message_id": str(asked.id), "edits message_id": str(asked.id),
        "attachment_id": str(file.id),
    }  # fmt: skip


def _thread(session: Session, who: Principal) -> Ids:
    """A thread that waits for approval of its one step, and an app that runs by the clock."""
    here = {"workspace_id": who.workspace_id, "person_id": who.person_id}
    agent, app = (_item(session, who, kind) for kind in ("agent", "app"))
    told = {"title": "An agent", "instructions": "", "model": "", "tools": [], "spaces": []}
    thread = models.Thread(
        **here, agent_id=agent.id, title="x", status="waiting", agent=told, input={"text": "x", "inputs": {}},
        limits={"steps": 20, "seconds": 300, "tokens": 100_000, "cost": 0},
    )  # fmt: skip
    session.add(thread)
    session.flush()
    step = models.ThreadStep(
        workspace_id=who.workspace_id,
        thread_id=thread.id,
        position=1,
        kind="tool",
        status="waiting",
        name="t",
    )
    schedule = models.AppSchedule(
        **here, app_id=app.id, cron="0 7 * * *", zone="UTC", inputs={}, next_at=LATER
    )
    session.add_all([step, schedule])
    session.flush()
    starts = ("/apps/{item_id}/schedules", "/api/v1/apps/{item_id}/schedules")
    return {f"{start} item_id": str(app.id) for start in starts} | {
        "thread_id": str(thread.id), "step_id": str(step.id), "schedule_id": str(schedule.id),
    }  # fmt: skip


def _space(session: Session, who: Principal) -> Ids:
    """A space with a document, one in the trash, and an upload that was begun."""
    space = _item(session, who, "space")
    document, gone = (_document(session, space, deleted_at=when) for when in (None, NOW))
    upload = models.Upload(
        workspace_id=who.workspace_id, space_id=space.id, person_id=who.person_id, title="u", media_type="text/plain",
        bytes=9, object_key="u", expires_at=LATER,
    )  # fmt: skip
    session.add(upload)
    session.flush()
    return {
        "space_id": str(space.id),
        "upload_id": str(upload.id),
        "/api/v1/spaces document_id": str(document.id),
        "/documents document_id": str(gone.id),
        "restore document_id": str(gone.id),
    }


def _handed_over(session: Session, who: Principal, companion: models.Item) -> Ids:
    """A run of a companion that was handed over to this person."""
    session.add(models.CompanionVersion(companion_id=companion.id, number=1, flow=example("Made")))
    session.flush()
    run = models.FlowRun(
        workspace_id=who.workspace_id, companion_id=companion.id, version=1, visitor=uuid4().hex, step="x", answers=[]
    )  # fmt: skip
    session.add(run)
    session.flush()
    session.add(
        models.Handover(
            run_id=run.id, workspace_id=who.workspace_id, companion_id=companion.id, step="x", person_id=who.person_id
        )
    )  # fmt: skip
    session.flush()
    return {"take-up item_id": str(companion.id), "take-up run_id": str(run.id)}


def _document(session: Session, space: models.Item, **more: object) -> models.Document:
    document = models.Document(
        workspace_id=space.workspace_id, space_id=space.id, title="d", object_key=uuid4().hex, media_type="text/plain",
        bytes=1, sha256=uuid4().hex, **more,
    )  # fmt: skip
    session.add(document)
    session.flush()
    return document


def _other(session: Session, who: Principal) -> UUID:
    return person(session, session.get_one(models.Workspace, who.workspace_id), "member").id


def _item(session: Session, who: Principal, kind: str, **more: object) -> models.Item:
    item = models.Item(
        workspace_id=who.workspace_id, kind=kind, title=f"A {kind}", owner_id=who.person_id, **more
    )
    session.add(item)
    session.flush()
    if kind == "companion":
        session.add(models.Companion(item_id=item.id))
        session.flush()
    return item


def _items(session: Session, place: Place) -> None:
    for kind, told in KINDS.items():
        item = _item(session, place.owner, kind)
        place.ids[f"{told.route} item_id"] = place.ids[f"/api/v1/{told.slug} item_id"] = str(item.id)
        if kind == "companion":
            versions.save_version(
                session, principal=place.owner, companion_id=item.id, flow=parse_flow(example("Made"))
            )
            place.ids["item_id"] = str(item.id)
        else:
            content = told.content().model_dump(mode="json") | _told(kind, place.ids)
            item.version = 1
            session.add(
                models.ItemVersion(
                    item_id=item.id,
                    number=1,
                    title=item.title,
                    description="",
                    tags=[],
                    icon="",
                    content=content,
                )
            )
        if kind == "space":
            place.ids["document_id"] = str(_document(session, item).id)
    gone = _item(session, place.owner, "board", deleted_at=NOW)
    place.ids["/trash item_id"] = place.ids["/api/v1/trash item_id"] = str(gone.id)


def _told(kind: str, ids: Ids) -> dict[str, object]:
    """What an item of a kind holds beside what is usual: an app can be run."""
    if kind != "app":
        return {}
    return {"agent_id": ids["/agents item_id"], "inputs": [{"name": "topic", "field": "text"}]}


def _people(session: Session, place: Place) -> None:
    here = {"workspace_id": place.workspace.id}
    member, outside = person(session, place.workspace, SPARE), person(session, place.workspace, EXTERNAL)
    group = models.PeopleGroup(**here, name="Group")
    session.add(group)
    session.flush()
    item_id = UUID(place.ids["item_id"])
    granted = [
        models.ItemGrant(**here, item_id=item_id, group_id=group.id),
        models.ItemGrant(**here, item_id=item_id, person_id=outside.id),
    ]
    offered = models.Invitation(
        **here, email="invited@example.test", role=SPARE, token_hash=uuid4().bytes, expires_at=LATER
    )
    session.add_all([models.GroupMember(**here, group_id=group.id, person_id=member.id), *granted, offered])
    session.flush()
    outsider = {
        f"{start} person_id": str(outside.id) for start in ("/external-users", "/api/v1/external-users")
    }
    place.ids |= outsider | {
        "person_id": str(member.id),
        "group_id": str(group.id),
        "grant_id": str(granted[0].id),
        "/external-users grant_id": str(granted[1].id),
        "invitation_id": str(offered.id),
        "workspace_id": str(place.workspace.id),
        "/settings/roles name": SPARE,
        "/api/v1/roles name": SPARE,
    }


def _administration(session: Session, place: Place) -> None:
    here = {"workspace_id": place.workspace.id}
    hook_id = uuid4()
    hook = models.Webhook(
        **here, id=hook_id, url="https://hooks.example.test/", events=["item.create"], created_by="x", updated_by="x",
        secret=seal(new_secret(), place=place_of_webhook(hook_id)),
    )  # fmt: skip
    endpoint = models.ModelEndpoint(
        **here, name="m", base_url="https://models.example.test/v1", models=["m"], created_by="x"
    )
    invoice = models.Invoice(
        **here, number=uuid4().hex, period_start=date(2026, 1, 1), period_end=date(2026, 2, 1), lines=[],
        total_cents=1, currency="EUR",
    )  # fmt: skip
    report = models.Report(
        **here,
        name="weekly-insights",
        period_start=date(2026, 1, 5),
        period_end=date(2026, 1, 12),
        zone="UTC",
    )
    provider = models.IdentityProvider(
        **here, name="idp", issuer="https://id.example.test", client="c", domains=[]
    )
    import_id = uuid4()
    imported = models.S3Import(
        **here, id=import_id, name="i", endpoint="https://s3.example.test", region="us-east-1", bucket="bucket",
        access_key="a", secret=seal("s", place=place_of_import(import_id)), created_by="x",
        space_id=UUID(place.ids["/spaces item_id"]),
    )  # fmt: skip
    order = {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}
    tool = models.Tool(
        **here, name="order", kind="http", description="x", parameters=order, check_problem="", created_by="x",
        configuration={"method": "GET", "url": "https://api.example.test/{order}", "headers": {}, "secret_header": "X-Key", "secret_scheme": ""},
    )  # fmt: skip
    session.add_all([hook, endpoint, invoice, report, provider, imported, tool])
    session.flush()
    taken = models.S3ImportObject(
        **here, import_id=import_id, key="k", etag="e", bytes=1, status="failed", reason="x"
    )
    session.add(taken)
    delivery = models.WebhookDelivery(
        **here, webhook_id=hook.id, event_id=uuid4().hex, event="item.create", payload={}, status="failed"
    )
    session.add(delivery)
    session.flush()
    place.ids |= {
        "webhook_id": str(hook.id), "delivery_id": str(delivery.id), "endpoint_id": str(endpoint.id),
        "import_id": str(import_id), "tool_id": str(tool.id), "object_id": str(taken.id),
        "invoice_id": str(invoice.id), "report_id": str(report.id), "provider_id": str(provider.id),
    }  # fmt: skip


def _operations(session: Session, place: Place) -> None:
    """What is the installation's: every workspace has the same."""
    backup = models.Backup(kind="postgres", engine="postgres-tools", status="complete", finished_at=NOW)
    drill = models.Drill(kind="postgres-latest", status="passed")
    run = models.Drill(kind="objects-lost", category="runbook", status="failed", finished_at=NOW)
    session.add_all([backup, drill, run])
    session.flush()
    run.lineage = run.id
    place.ids |= {
        "backup_id": str(backup.id), "drill_id": str(drill.id), "run_id": str(run.id), "number": "1", "first": "1",
        "second": "1", "rest": "x", "form": "html", "/settings/billing form": "csv", "token": "x", "verb": "suspend",
    }  # fmt: skip
    for start in ("/operations/runbooks", "/api/v1/runbooks"):
        place.ids[f"{start} name"] = "objects-lost"
    for start in ("/operations/checks", "/api/v1/checks"):
        place.ids[f"{start} name"] = "people"
    for start in ("/reports", "/api/v1/reports"):
        place.ids[f"{start} name"] = "weekly-insights"
