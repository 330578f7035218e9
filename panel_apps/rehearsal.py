"""Open every dashboard once before the first visitor does, so that none pays for imports and compiled statements."""

import gc
from collections.abc import Mapping
from uuid import UUID

from bokeh.server.contexts import ApplicationContext
from bokeh.server.request import ServerRequest
from panel.io.document import _cleanup_doc
from panel.io.session import generate_session

from leitstand.identity.access import system_principal
from leitstand.telemetry.logs import get_logger
from panel_apps.access import PREFIX, Present

NO_WORKSPACE = UUID(int=0)
log = get_logger("dashboards")


def rehearse(applications: Mapping[str, ApplicationContext]) -> None:
    """Open and close every dashboard; failures are logged, since the dashboards tell them to visitors anyway."""
    visitor = Present(system_principal(NO_WORKSPACE, "rehearsal"), "", "")
    for path, context in applications.items():
        request = ServerRequest("GET", PREFIX + path, PREFIX + path, host="rehearsal", user=visitor)
        document = generate_session(context.application, request).document
        try:
            document.to_json()
        except Exception:
            log.exception("a dashboard could not be rehearsed", path=path)
        finally:
            _cleanup_doc(document, destroy=True)
    # What is there now stays; the collector need not look at it again, which would hold up a visitor.
    gc.collect()
    gc.freeze()
