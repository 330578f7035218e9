"""Reports: the list, one to read, making one now, subscribing, and the link in a mail that ends a subscription."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import available_timezones

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.errors import Conflict, InvalidInput, LeitstandError
from leitstand.identity.access import Principal
from leitstand.mail.settings import mail_off
from leitstand.reports import editions, kinds, subscriptions
from leitstand.reports.unsubscribe_links import PATH, read_token
from leitstand.settings import get_settings
from leitstand.words import msg
from serving.session import CurrentPrincipal, Db, OptionalPrincipal, require_csrf
from web.pages import fragment, go, render, wants_fragment

router = APIRouter(prefix="/reports", include_in_schema=False)
CSRF = [Depends(require_csrf)]
Text = Annotated[str, Form()]
SHOWN = 50
PAGE_CSP = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"


@router.get("")
def reports_page(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """The list, the forms and the subscriptions."""
    return _page(request, session, principal)


@router.get("/list")
def report_rows(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """The list alone, asked again while a report is being made."""
    if not wants_fragment(request):
        return go("/reports")
    return fragment(principal, "parts/report_rows.html", **_rows(session, principal))


@router.post("", dependencies=CSRF)
def start_report(
    request: Request, session: Db, principal: CurrentPrincipal, name: Text, day: Text = "", zone: Text = ""
) -> Response:
    """Have a report made."""
    try:
        wanted = _day(day)
        editions.request_report(session, principal=principal, name=name, day=wanted, zone=zone.strip())
    except (Conflict, InvalidInput) as error:
        return _page(request, session, principal, error=error, asked={"name": name, "day": day, "zone": zone})
    return go("/reports", "report-started")


@router.post("/subscriptions/{name}", dependencies=CSRF)
def subscribe(
    request: Request, session: Db, principal: CurrentPrincipal, name: str, zone: Text = ""
) -> Response:
    """Subscribe oneself, or change the zone."""
    try:
        subscriptions.subscribe(session, principal=principal, name=name, zone=zone.strip())
    except InvalidInput as error:
        return _page(request, session, principal, subscription_error=error, own_zones={name: zone})
    return go("/reports#subscriptions", "subscribed")


@router.post("/subscriptions/{name}/end", dependencies=CSRF)
def unsubscribe(session: Db, principal: CurrentPrincipal, name: str) -> Response:
    """End one's own subscription."""
    subscriptions.unsubscribe(session, principal=principal, name=name)
    return go("/reports#subscriptions", "unsubscribed")


@router.get("/unsubscribe/{token}")
def unsubscribe_page(request: Request, principal: OptionalPrincipal, token: str) -> Response:
    """Ask once more: mail filters open links, so that opening one may change nothing."""
    kind = kinds.find(read_token(token).name)
    return render(
        request,
        principal,
        "report_unsubscribe.html",
        area="",
        kind=kind,
        address=f"{PATH}{token}",
        done=False,
    )


@router.post("/unsubscribe/{token}")
def unsubscribe_by_link(request: Request, session: Db, principal: OptionalPrincipal, token: str) -> Response:
    """End the subscription that the link names; the link itself is the permission (RFC 8058), so no CSRF token."""
    kind = kinds.find(subscriptions.unsubscribe_by_link(session, token).name)
    return render(request, principal, "report_unsubscribe.html", area="", kind=kind, address="", done=True)


@router.get("/{report_id}")
def report_page(request: Request, session: Db, principal: CurrentPrincipal, report_id: UUID) -> Response:
    """One report to read."""
    report = editions.get_report(session, principal=principal, report_id=report_id)
    return render(
        request,
        principal,
        "report.html",
        area="insights",
        report=report,
        kind=editions.kind_of(report),
        period=editions.period_of(report),
        under_way=editions.under_way(report),
    )


@router.get("/{report_id}/report.html")
def report_html(
    session: Db, principal: CurrentPrincipal, report_id: UUID, download: bool = False
) -> Response:
    """The report as a page, in a sandbox: it runs nothing and asks nobody for anything."""
    return _content(session, principal, report_id, editions.HTML, download=download)


@router.get("/{report_id}/report.pdf")
def report_pdf(session: Db, principal: CurrentPrincipal, report_id: UUID) -> Response:
    """The report as PDF, to download."""
    return _content(session, principal, report_id, editions.PDF, download=True)


@router.get("/{report_id}/report.ipynb")
def report_notebook(session: Db, principal: CurrentPrincipal, report_id: UUID) -> Response:
    """The executed notebook, to download."""
    return _content(session, principal, report_id, editions.NOTEBOOK, download=True)


MEDIA_TYPES = {
    editions.HTML: "text/html; charset=utf-8",
    editions.PDF: "application/pdf",
    editions.NOTEBOOK: "application/x-ipynb+json",
}


def _content(session: Db, principal: Principal, report_id: UUID, form: str, *, download: bool) -> Response:
    report = editions.get_report(session, principal=principal, report_id=report_id)
    body = editions.content(get_settings(), report, form)
    headers = {"Cache-Control": "private, no-store", "Content-Security-Policy": PAGE_CSP}
    if download:
        headers["Content-Disposition"] = f'attachment; filename="{editions.file_name(report, form)}"'
    return Response(body, media_type=MEDIA_TYPES[form], headers=headers)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text.strip() else None
    except ValueError as error:
        raise InvalidInput(
            msg("{text!r} is not a day.", text=text), hint="Write it as 2026-11-23."
        ) from error


def _rows(session: Db, principal: Principal) -> dict[str, Any]:
    found = [
        (report, editions.kind_of(report), editions.period_of(report), editions.under_way(report))
        for report in editions.list_reports(session, principal=principal, limit=SHOWN)
    ]
    return {"reports": found, "busy": any(under_way for *_, under_way in found)}


def _page(
    request: Request,
    session: Db,
    principal: Principal,
    *,
    error: LeitstandError | None = None,
    subscription_error: LeitstandError | None = None,
    asked: dict[str, str] | None = None,
    own_zones: dict[str, str] | None = None,
) -> Response:
    shown = error or subscription_error
    if not kinds.readable(principal):
        # Says in words which permission is missing.
        editions.list_reports(session, principal=principal, name=kinds.WEEKLY.name)
    managing = principal.may("member:manage")
    return render(
        request,
        principal,
        "reports.html",
        area="insights",
        code=shown.status if shown else 200,
        error=error,
        subscription_error=subscription_error,
        asked=asked or {"name": "", "day": "", "zone": ""},
        own_zones=own_zones or {},
        kinds=kinds.readable(principal),
        own=subscriptions.own(session, principal=principal),
        subscribers=subscriptions.list_subscribers(session, principal=principal) if managing else None,
        mail_note=mail_off(get_settings()),
        zones=sorted(available_timezones() - {"localtime", "Factory"}),
        titles={name: kind.title for name, kind in kinds.BY_NAME.items()},
        **_rows(session, principal),
    )
