"""What the pages of the integrations share: where they are, their list's filter, and how one of them is made."""

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from leitstand.identity.access import Principal
from web.pages import render

ADDRESS = "/settings/integrations"


class StatusFilter(BaseModel):
    """The filter of a list as it stands in the address; empty: any."""

    status: str = ""


def page(request: Request, principal: Principal, template: str, **more: Any) -> HTMLResponse:
    """A page of the area, as `web.pages.render` makes it."""
    return render(request, principal, template, area="integrations", **more)
