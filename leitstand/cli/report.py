"""leitstand report: reports made now, listed, shown, and mailed to who subscribes."""

import json
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from sqlalchemy.orm import Session

from leitstand.cli._identity import member
from leitstand.cli._options import Day, database
from leitstand.db.engine import transaction
from leitstand.identity.access import Principal, system_principal
from leitstand.identity.workspaces import find_workspace

workspace_option = click.option("--workspace", required=True, metavar="W", help="The workspace.")
zone_option = click.option(
    "--zone", default="", metavar="Z", help="IANA zone of the days; default: the workspace's."
)
email_option = click.option("--email", required=True, metavar="E", help="Whose subscription, by e-mail.")
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")


@click.group("report")
def group() -> None:
    """Reports of a week or a month, for people who would rather read."""


@group.command("run")
@click.argument("name")
@workspace_option
@click.option(
    "--day", type=Day(), metavar="D", help="Any day of the period; default: the newest full period."
)
@zone_option
@json_option
@click.pass_context
def run(
    context: click.Context, name: str, workspace: str, day: date | None, zone: str, as_json: bool
) -> None:
    """Make the report NAME now and archive it; exit 1 when it fails."""
    from leitstand.cli._progress import told
    from leitstand.reports.editions import get_report, prepare, public
    from leitstand.reports.making import make
    from leitstand.settings import get_settings
    from leitstand.telemetry.logs import configure_logging

    configure_logging("cli", "WARNING")
    with database() as engine:
        with transaction(engine) as session:
            principal = _operator(session, workspace)
            report_id = prepare(session, principal=principal, name=name, day=day, zone=zone).id
        made = make(engine, get_settings(), report_id, progress=told())
        with transaction(engine) as session:
            document = public(get_report(session, principal=principal, report_id=report_id))
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        _show(document)
    context.exit(1 if made.error else 0)


@group.command("list")
@workspace_option
@click.option("--name", metavar="N", help="Only the reports of this name.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 500))
@json_option
def list_command(workspace: str, name: str | None, limit: int, as_json: bool) -> None:
    """The reports of a workspace, the newest period first, and whether mail is sent."""
    from leitstand.mail.settings import mail_off
    from leitstand.reports.editions import list_reports, public
    from leitstand.settings import get_settings

    with database() as engine, transaction(engine) as session:
        principal = _operator(session, workspace)
        found = [public(one) for one in list_reports(session, principal=principal, name=name, limit=limit)]
    off = mail_off(get_settings())
    if as_json:
        click.echo(json.dumps({"reports": found, "mail": not off, "mail_note": off}, ensure_ascii=False))
        return
    for one in found:
        click.echo(
            f"{one['id']}  {one['status']:<8}  {one['name']:<19}  {one['period']['label']:<28}  {one['zone']}"
            + (f"  {one['error']}" if one["error"] else "")
        )
    click.echo(off or "Mail is sent to subscribers.", err=True)


@group.command("show")
@click.argument("report_id", type=click.UUID)
@workspace_option
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the HTML into this file."
)
@click.option("--pdf", type=click.Path(path_type=Path, dir_okay=False), help="Write the PDF into this file.")
@json_option
def show(report_id: UUID, workspace: str, html: Path | None, pdf: Path | None, as_json: bool) -> None:
    """What a report found first, and the report itself into files."""
    from leitstand.reports.editions import content, get_report, public
    from leitstand.settings import get_settings

    with database() as engine, transaction(engine) as session:
        report = get_report(session, principal=_operator(session, workspace), report_id=report_id)
        document = public(report)
    for form, path in (("html", html), ("pdf", pdf)):
        if path is not None:
            path.write_bytes(content(get_settings(), report, form))
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        _show(document)


@group.command("subscribe")
@click.argument("name")
@workspace_option
@email_option
@zone_option
@json_option
def subscribe_command(name: str, workspace: str, email: str, zone: str, as_json: bool) -> None:
    """Have the report NAME mailed to somebody who may read it."""
    from leitstand.mail.settings import mail_off
    from leitstand.reports.subscriptions import subscribe
    from leitstand.settings import get_settings

    with database() as engine, transaction(engine) as session:
        made = subscribe(session, principal=member(session, workspace, email), name=name, zone=zone)
        document = {"name": made.name, "email": email, "zone": made.zone}
    off = mail_off(get_settings())
    click.echo(
        json.dumps({**document, "mail_note": off})
        if as_json
        else f"{email} gets {name}, days of {made.zone}."
    )
    click.echo(off, err=True, nl=bool(off))


@group.command("unsubscribe")
@click.argument("name")
@workspace_option
@email_option
@json_option
def unsubscribe_command(name: str, workspace: str, email: str, as_json: bool) -> None:
    """Mail the report NAME to somebody no more."""
    from leitstand.reports.subscriptions import unsubscribe

    with database() as engine, transaction(engine) as session:
        was = unsubscribe(session, principal=member(session, workspace, email), name=name)
    said = f"{email} gets {name} no more." if was else f"{email} had no subscription to {name}."
    click.echo(json.dumps({"name": name, "email": email, "was_subscribed": was}) if as_json else said)


@group.command("subscriptions")
@workspace_option
@json_option
def subscriptions(workspace: str, as_json: bool) -> None:
    """Who gets which report, in which zone, and how the last mail went."""
    from leitstand.mail.settings import mail_off
    from leitstand.reports.subscriptions import list_subscribers
    from leitstand.settings import get_settings

    with database() as engine, transaction(engine) as session:
        found = list_subscribers(session, principal=_operator(session, workspace))
    off = mail_off(get_settings())
    if as_json:
        rows = [{**asdict(one), "since": one.since.isoformat()} for one in found]
        click.echo(json.dumps({"subscriptions": rows, "mail": not off, "mail_note": off}, ensure_ascii=False))
        return
    for one in found:
        able = "" if one.able else "  their role does not permit it: nothing is sent"
        click.echo(
            f"{one.name:<19}  {one.email:<32}  {one.zone:<24}  {one.last or 'not yet'}  {one.error}{able}"
        )
    click.echo(off or "Mail is sent to subscribers.", err=True)


def _operator(session: Session, workspace: str) -> Principal:
    found = find_workspace(session, workspace)
    return replace(system_principal(found.id, "command line"), zone=found.reporting_zone)


def _show(document: dict[str, Any]) -> None:
    click.echo(
        f"{document['title']}, {document['period']['label']}, {document['zone']}: {document['status']}"
    )
    for notice in document["summary"].get("notices", []):
        click.echo(f"  {notice['weight']:<5} {notice['text']}")
    for figure in document["summary"].get("figures", []):
        counts = f" ({figure['counts']})" if figure["counts"] else ""
        click.echo(
            f"  {figure['name']:<24} {figure['value']}{counts}; before {figure['before']}: {figure['change']}"
        )
    if document["forms"]:
        click.echo(
            f"archived as {' and '.join(document['forms'])}; `leitstand report show` writes them into files"
        )
    click.echo(
        document["error"] or document["without_pdf"],
        err=True,
        nl=bool(document["error"] or document["without_pdf"]),
    )
