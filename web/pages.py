"""Rendering: pages in the shell, fragments for htmx, redirects that carry a notice."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from leitstand.identity.access import Principal
from leitstand.settings import get_settings
from serving import shell

TEMPLATES = Path(__file__).parent / "templates"
NOTICE_COOKIE = "leitstand_notice"
NOTICE_SECONDS = 60
NOTICE = re.compile(r"([a-z-]{1,40})(?:\.([0-9a-f-]{36}))?")
SEE_OTHER = 303

# Only these texts can be shown, whatever a cookie says. The second is where Undo leads, with the item's id in it.
NOTICES: dict[str, tuple[str, str]] = {
    "created": ("Created.", ""),
    "saved": ("Saved.", ""),
    "version-saved": ("Saved as a new version.", ""),
    "published": ("Published: open to everybody who has the link.", ""),
    "rolled-back": ("Rolled back to the version before.", ""),
    "withdrawn": ("Withdrawn: closed to visitors.", ""),
    "archived": ("Archived.", ""),
    "trashed": ("Moved to the trash.", "/trash/{}/restore"),
    "restored": ("Restored from the trash.", ""),
    "purged": ("Deleted for good.", ""),
    "favorite-added": ("Added to your favorites.", ""),
    "favorite-removed": ("Removed from your favorites.", "/favorites/{}/add"),
    "profile-saved": ("Profile saved.", ""),
    "password-changed": ("Password changed; your other sessions have ended.", ""),
    "session-ended": ("The session has ended.", ""),
    "sessions-ended": ("Your other sessions have ended.", ""),
    "token-revoked": ("The token is revoked: from now on it is refused.", ""),
    "report-started": ("Started: the list below shows how it goes.", ""),
    "subscribed": ("Subscribed: it comes by mail from the next one on.", ""),
    "unsubscribed": ("Unsubscribed.", ""),
    "run-started": ("Started: it is followed here.", ""),
    "signed": ("Signed: the signature is in the chain of evidence.", ""),
    "job-started": ("Started: the queue worker does it now. Load the page again to see how it goes.", ""),
}


@dataclass(frozen=True)
class Notice:
    """What a toast says, and where its Undo leads (empty: none)."""

    text: str
    undo: str


def render(
    request: Request, principal: Principal | None, template: str, *, area: str, code: int = 200, **more: Any
) -> HTMLResponse:
    """A whole page in the shell; shows the notice of the redirect that led here."""
    notice = _take_notice(request)
    html = shell.page(template, principal, area=area, folders=(TEMPLATES,), notice=notice, **more)
    response = HTMLResponse(
        html, status_code=code, headers={"Cache-Control": "no-store", "Vary": "HX-Request"}
    )
    if NOTICE_COOKIE in request.cookies:
        response.delete_cookie(NOTICE_COOKIE, path="/")
    return response


def fragment(principal: Principal, template: str, *, code: int = 200, **more: Any) -> HTMLResponse:
    """A piece of a page for htmx to put in place."""
    names = shell.context(principal, area="") | more
    html = shell.environment(TEMPLATES).get_template(template).render(names)
    return HTMLResponse(html, status_code=code, headers={"Cache-Control": "no-store", "Vary": "HX-Request"})


def wants_fragment(request: Request) -> bool:
    """Whether htmx asks for a piece; restoring the browser's history needs the whole page."""
    headers = request.headers
    return headers.get("hx-request") == "true" and headers.get("hx-history-restore-request") != "true"


def go(path: str, notice: str = "", item_id: UUID | None = None) -> Response:
    """Redirect after a write, with a notice that the next page shows once."""
    response = RedirectResponse(path, status_code=SEE_OTHER)
    if notice:
        if notice not in NOTICES:
            raise ValueError(f"unknown notice {notice!r}")
        value = f"{notice}.{item_id}" if item_id else notice
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
