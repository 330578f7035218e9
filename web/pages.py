"""Rendering: pages in the shell, fragments for htmx, redirects that carry a notice."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from leitstand.errors import LeitstandError
from leitstand.identity.access import Principal
from leitstand.settings import get_settings
from leitstand.words import N_
from serving import shell
from serving.language import language_of

TEMPLATES = Path(__file__).parent / "templates"
NOTICE_COOKIE = "leitstand_notice"
NOTICE_SECONDS = 60
NOTICE = re.compile(r"([a-z-]{1,40})(?:\.([0-9a-f-]{36}|[A-Za-z0-9_-]{22,3300}))?")
SEE_OTHER = 303

# Only these texts can be shown, whatever a cookie says. The second is where Undo leads, with the item's id in it.
NOTICES: dict[str, tuple[str, str]] = {
    "created": (N_("Created."), ""),
    "saved": (N_("Saved."), ""),
    "version-saved": (N_("Saved as a new version."), ""),
    "flow-saved": (N_("Saved as a draft."), "/companions/{}/flow/undo"),
    "flow-undone": (N_("The flow is what it was before."), ""),
    "published": (N_("Published: open to everybody who has the link."), ""),
    "rolled-back": (N_("Rolled back to the version before."), ""),
    "withdrawn": (N_("Withdrawn: closed to visitors."), ""),
    "archived": (N_("Archived."), ""),
    "trashed": (N_("Moved to the trash."), "/trash/{}/restore"),
    "restored": (N_("Restored from the trash."), ""),
    "purged": (N_("Deleted for good."), ""),
    "favorite-added": (N_("Added to your favorites."), ""),
    "favorite-removed": (N_("Removed from your favorites."), "/favorites/{}/add"),
    "profile-saved": (N_("Profile saved."), ""),
    "password-changed": (N_("Password changed; your other sessions have ended."), ""),
    "password-set": (N_("Your new password is set; all your sessions have ended. Sign in with it."), ""),
    "code-off": (N_("Two-step sign-in is off."), ""),
    "passkey-added": (N_("The passkey is added: you can sign in with it."), ""),
    "passkey-removed": (
        N_("The passkey is removed. Delete it from your device or password manager as well."),
        "",
    ),
    "sign-on-works": (N_("The provider answers as it should."), ""),
    "sign-on-removed": (N_("Single sign-on is removed."), ""),
    "session-ended": (N_("The session has ended."), ""),
    "sessions-ended": (N_("Your other sessions have ended."), ""),
    "token-revoked": (N_("The token is revoked: from now on it is refused."), ""),
    "report-started": (N_("Started: the list below shows how it goes."), ""),
    "subscribed": (N_("Subscribed: it comes by mail from the next one on."), ""),
    "unsubscribed": (N_("Unsubscribed."), ""),
    "answer-stopped": (N_("Stopped. What has come of it stays."), ""),
    "thread-cancelled": (N_("Cancelled. What a worker has under way ends within seconds."), ""),
    "thread-approved": (N_("Approved: the thread goes on."), ""),
    "thread-refused": (N_("Refused: the agent is told so."), ""),
    "thread-begun": (N_("Begun: it is followed here."), ""),
    "schedule-added": (N_("Planned: it runs by itself from now on."), ""),
    "schedule-removed": (N_("The schedule is removed; its threads stay."), ""),
    "run-started": (N_("Started: it is followed here."), ""),
    "signed": (N_("Signed: the signature is in the chain of evidence."), ""),
    "invited": (N_("Invited: the mail is on its way."), ""),
    "invitation-revoked": (N_("The invitation is revoked: its link opens nothing any more."), ""),
    "member-saved": (N_("Saved: it holds from now on."), ""),
    "member-suspended": (N_("Suspended: this person can't come in until you let them in again."), ""),
    "member-resumed": (N_("This person can come in again."), ""),
    "member-removed": (N_("Removed from the workspace."), ""),
    "items-transferred": (N_("The items have a new owner."), ""),
    "workspace-transferred": (N_("The workspace has a new owner; you are an admin now."), ""),
    "role-saved": (N_("The role is saved and holds for everybody who has it."), ""),
    "role-deleted": (N_("The role is deleted."), ""),
    "group-deleted": (N_("The group is deleted; what was granted to it is granted no more."), ""),
    "shared": (N_("Shared."), ""),
    "share-revoked": (N_("Shared no more."), ""),
    "joined": (N_("Welcome. You are in the workspace now."), ""),
    "acting-ended": (N_("You are yourself again."), ""),
    "left": (N_("You have left the workspace."), ""),
    "job-started": (N_("Started: the queue worker does it now. Load the page again to see how it goes."), ""),
    "version-restored": (N_("The earlier version is the newest again."), ""),
    "item-published": (N_("Published."), ""),
    "draft-again": (N_("It is a draft again."), ""),
    "duplicated": (N_("This is your copy: a draft that only you see."), ""),
    "bulk-done": (N_("Done."), ""),
    "bulk-trashed": (N_("Moved to the trash."), "/trash/undo/{}"),
    "imported": (N_("Imported."), ""),
    "documents-added": (N_("Uploaded: the worker reads it now. Load the page again to see how it goes."), ""),
    "documents-known": (N_("Uploaded; what the space had already was not taken again."), ""),
    "document-again": (N_("It is read again now."), ""),
    "document-deleted": (N_("The document is deleted."), "/documents/{}/restore"),
    "document-restored": (N_("The document is there again; it is read now."), ""),
    "document-purged": (N_("The document is deleted for good."), ""),
    "mail-sent": (N_("The mail server took the message: look into your mailbox."), ""),
    "delivery-queued": (N_("Queued: it is sent within seconds. Load the page again to see how it goes."), ""),
    "webhook-removed": (N_("The webhook is removed."), ""),
    "endpoint-works": (N_("The endpoint answers as it should."), ""),
    "endpoint-removed": (N_("The model endpoint is removed, with its key."), ""),
    "tools-added": (N_("Added. Try each before an agent uses it."), ""),
    "tool-refreshed": (N_("What the server says of the tool now is kept."), ""),
    "tool-removed": (N_("The tool is removed, with its secret."), ""),
    "bucket-works": (N_("The store lists the bucket as it should."), ""),
    "import-started": (N_("Started: the queue worker takes one object after the other."), ""),
    "import-removed": (N_("The import is removed, with its key; the documents stay."), ""),
    "plan-changed": (N_("The plan is changed."), ""),
    "invoice-paid": (N_("Noted as paid."), ""),
    "payment-follows": (N_("Thank you. The plan changes as soon as the payment is confirmed."), ""),
}


@dataclass(frozen=True)
class Notice:
    """What a toast says, and where its Undo leads (empty: none)."""

    text: str
    undo: str


def render(
    request: Request, principal: Principal | None, template: str, *, area: str, code: int = 0, **more: Any
) -> HTMLResponse:
    """A whole page in the shell; shows the notice of the redirect that led here.

    Args:
        code: status of the answer; 0: that of the `error` which the page shows, 200 without one.
        more: what the template knows beside the shell's own; `error` is what was refused.
    """
    error = more.get("error")
    code = code or (error.status if isinstance(error, LeitstandError) else 200)
    notice = _take_notice(request)
    language = language_of(principal)
    html = shell.page(
        template, principal, area=area, folders=(TEMPLATES,), language=language, notice=notice, **more
    )
    response = HTMLResponse(html, status_code=code, headers=_headers(language))
    if NOTICE_COOKIE in request.cookies:
        response.delete_cookie(NOTICE_COOKIE, path="/")
    return response


def fragment(principal: Principal, template: str, *, code: int = 200, **more: Any) -> HTMLResponse:
    """A piece of a page for htmx to put in place."""
    html = piece(principal, template, **more)
    return HTMLResponse(html, status_code=code, headers=_headers(language_of(principal)))


def piece(principal: Principal, template: str, **more: Any) -> str:
    """The HTML of a piece of a page."""
    names = shell.context(principal, area="") | more
    environment = shell.environment(TEMPLATES, language=language_of(principal))
    return environment.get_template(template).render(names)


def _headers(language: str) -> dict[str, str]:
    return {
        "Cache-Control": "no-store",
        "Content-Language": language,
        "Vary": "HX-Request, Accept-Language",
    }


def wants_fragment(request: Request) -> bool:
    """Whether htmx asks for a piece; restoring the browser's history needs the whole page."""
    headers = request.headers
    return headers.get("hx-request") == "true" and headers.get("hx-history-restore-request") != "true"


def go(path: str, notice: str = "", undone: UUID | str | None = None) -> Response:
    """Redirect after a write, with a notice that the next page shows once; `undone` is what its Undo takes back."""
    response = RedirectResponse(path, status_code=SEE_OTHER)
    if notice:
        if notice not in NOTICES:
            raise ValueError(f"unknown notice {notice!r}")
        value = f"{notice}.{undone}" if undone else notice
        secure = get_settings().cookie_secure
        response.set_cookie(
            NOTICE_COOKIE,
            value,
            max_age=NOTICE_SECONDS,
            httponly=True,
            samesite="lax",
            secure=secure,
            path="/",
        )
    return response


def safe_path(path: str, default: str = "/") -> str:
    """A path on this site, or the default: nobody is sent elsewhere by a link to our sign-in."""
    if not path.startswith("/") or path.startswith("//") or "\\" in path or not path.isprintable():
        return default
    return path


def _take_notice(request: Request) -> Notice | None:
    match = NOTICE.fullmatch(request.cookies.get(NOTICE_COOKIE, ""))
    if match is None or match[1] not in NOTICES:
        return None
    text, undo = NOTICES[match[1]]
    return Notice(text, undo.format(match[2]) if undo and match[2] else "")
