"""The services of one Leitstand environment: one table that every part reads.

The supervisor starts them, the proxy routes to them, the health page probes them; each finds its port here,
counted from the environment's first port (`Settings.port`).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    """One process of the environment.

    Args:
        name: short name; also its log's and its metrics' label.
        title: what it is for, in words people read.
        offset: added to the first port.
        health: path of its readiness answer, empty where readiness is asked in another way.
        prefix: the path the proxy sends to it, empty where it is not public.
        python: whether it is one of our own ASGI services (serves /livez, /readyz and /metrics).
    """

    name: str
    title: str
    offset: int
    health: str = "/readyz"
    prefix: str = ""
    python: bool = True


PROXY = Service("proxy", "One address for people (Caddy)", 0, "/_proxy/health", "/", python=False)
WEB = Service("web", "Admin and product pages", 1, prefix="/")
API = Service("api", "JSON API", 2, prefix="/api")
RUNTIME = Service("runtime", "Public companion runtime", 3, prefix="/c")
QUERY = Service("query", "Retrieval and answers", 4, prefix="/query")
INSIGHTS = Service("insights", "Insight dashboards", 5, prefix="/insights")
WORKER = Service("worker", "Queue worker", 6)
PREFECT = Service(
    "prefect", "Schedules and flow runs (Prefect)", 7, "/prefect/api/health", "/prefect", python=False
)
PREFECT_WORKER = Service("prefect-worker", "Runs the flows", 8, "/health", python=False)
POSTGRES = Service("postgres", "PostgreSQL 18, the system of record", 9, "", python=False)
OBJECTS = Service("objects", "Object storage (S3)", 10, "", python=False)

# Started by `leitstand runbook lab` for as long as somebody needs it, and supervised by nobody.
LAB = Service("lab", "Notebooks to read and try (JupyterLab)", 15, "", "/lab", python=False)

SERVICES = (PROXY, WEB, API, RUNTIME, QUERY, INSIGHTS, WORKER, PREFECT, PREFECT_WORKER, POSTGRES, OBJECTS)
# Our ASGI services that answer requests through the proxy: where a release stands beside the one before, there are two of each.
FACTORIES = {
    WEB: "web.app:create",
    API: "api.app:create",
    RUNTIME: "api.runtime:create",
    QUERY: "api.query:create",
    INSIGHTS: "panel_apps.serve:create",
}
COLOURED = tuple(FACTORIES)
BY_NAME = {service.name: service for service in SERVICES}

# The object store opens further ports of its own behind `OBJECTS`: see embedded/objects.py.
OBJECTS_INTERNAL_OFFSETS = {"master": 11, "volume": 12, "filer": 13, "admin": 14}
# The environment that a supervised process belongs to, as its data folder; everything that it starts inherits it.
MARK = "LEITSTAND_SUPERVISED"
GRPC_OFFSET = 10_000
PORT_SPAN = 16
