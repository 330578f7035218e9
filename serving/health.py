"""/livez, /readyz, /proxyz and /metrics in the shape of health+json, on every service."""

import asyncio
import time
from collections.abc import Callable, Mapping

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from leitstand import __version__
from leitstand.settings import get_settings
from serving import rotation

MEDIA_TYPE = "application/health+json"
LIMIT_SECONDS = 2.0
UNAVAILABLE = 503
Probe = Callable[[], object]


def install(app: FastAPI, service: str, probes: Mapping[str, Probe]) -> None:
    """Add the endpoints; each probe raises when its dependency does not answer."""

    @app.get("/livez", include_in_schema=False)
    async def livez() -> JSONResponse:
        return JSONResponse(
            {"status": "pass", "serviceId": service, "version": __version__}, media_type=MEDIA_TYPE
        )

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> JSONResponse:
        results = dict(
            zip(probes, await asyncio.gather(*(_timed(probe) for probe in probes.values())), strict=True)
        )
        failed = [name for name, result in results.items() if result["status"] != "pass"]
        body = {
            "status": "fail" if failed else "pass",
            "serviceId": service,
            "version": __version__,
            "notes": [f"colour: {colour}"] if (colour := get_settings().colour) else [],
            "checks": {name: [result] for name, result in results.items()},
        }
        if failed:
            body["output"] = f"not ready: {', '.join(failed)}"
        return JSONResponse(body, status_code=UNAVAILABLE if failed else 200, media_type=MEDIA_TYPE)

    @app.get("/proxyz", include_in_schema=False)
    async def proxyz() -> JSONResponse:
        leaves = rotation.leaves()
        body = {"status": "fail" if leaves else "pass", "serviceId": service, "version": __version__}
        if leaves:
            body["output"] = leaves
        return JSONResponse(body, status_code=UNAVAILABLE if leaves else 200, media_type=MEDIA_TYPE)

    @app.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _timed(probe: Probe) -> dict[str, object]:
    """Run one probe in a thread with a time limit; its failure is named by class, never by a message with secrets."""
    began = time.perf_counter()
    try:
        await asyncio.wait_for(asyncio.to_thread(probe), LIMIT_SECONDS)
    except Exception as error:
        return {"status": "fail", "output": type(error).__name__}
    return {
        "status": "pass",
        "observedValue": round((time.perf_counter() - began) * 1000, 1),
        "observedUnit": "ms",
    }
