"""Forward authentication: whether the proxy may let a request through to the operators' tools."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from leitstand.errors import NotSignedIn
from leitstand.identity.access import require
from serving.session import OptionalPrincipal
from web.pages import safe_path
from web.problem_pages import sign_in_address, wants_page

router = APIRouter(include_in_schema=False)
ALLOWED = 204
FOUND = 302


@router.get("/auth/operator")
def operator(request: Request, principal: OptionalPrincipal) -> Response:
    """204 for whoever may see operations; else to the sign-in (browsers), 401 or 403."""
    if principal is None:
        if wants_page(request):
            wanted = safe_path(request.headers.get("x-forwarded-uri", "/"))
            return RedirectResponse(sign_in_address(wanted), status_code=FOUND)
        raise NotSignedIn("Sign in to Leitstand first.")
    require(principal, "operations:read")
    return Response(status_code=ALLOWED)
