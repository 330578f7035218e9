"""Errors as RFC 9457 problem details."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from leitstand.errors import LeitstandError
from leitstand.telemetry.logs import get_logger

MEDIA_TYPE = "application/problem+json"
log = get_logger("problems")


def problem(
    request: Request,
    *,
    status: int,
    kind: str,
    title: str,
    detail: str,
    headers: dict[str, str] | None = None,
    **members: object,
) -> JSONResponse:
    """One problem document; `type` is a relative reference into the error documentation."""
    request_id = request.scope.get("state", {}).get("request_id", "")
    body = {
        "type": f"/docs/errors#{kind}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        "request_id": request_id,
    }
    return JSONResponse(body | members, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem document."""

    @app.exception_handler(LeitstandError)
    def domain(request: Request, error: LeitstandError) -> JSONResponse:
        members: dict[str, object] = {**error.details, **({"hint": error.hint} if error.hint else {})}
        headers = (
            {"Retry-After": str(error.details["retry_after"])} if "retry_after" in error.details else None
        )
        return problem(
            request,
            status=error.status,
            kind=error.kind,
            title=error.title,
            detail=error.message,
            headers=headers,
            **members,
        )

    @app.exception_handler(RequestValidationError)
    def validation(request: Request, error: RequestValidationError) -> JSONResponse:
        errors = [
            {"pointer": "/" + "/".join(str(part) for part in issue["loc"]), "detail": issue["msg"]}
            for issue in error.errors()
        ]
        return problem(
            request,
            status=422,
            kind="invalid-input",
            title="Invalid input",
            detail="The request does not have the form that is needed.",
            errors=errors,
        )

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> JSONResponse:
        return problem(
            request,
            status=error.status_code,
            kind="http",
            title=str(error.detail),
            detail=str(error.detail),
            headers=dict(error.headers or {}),
        )

    @app.exception_handler(Exception)
    def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("unexpected error", exc_info=error)
        return problem(
            request,
            status=500,
            kind="internal",
            title="Something went wrong",
            detail="An unexpected error; it was logged under this request id.",
        )
