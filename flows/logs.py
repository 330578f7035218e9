"""Prefect's own log lines, in the server, the worker and a run before its work begins, as JSON like all others.

Prefect is told to use this formatter by its environment (`leitstand.jobs.prefect_environment`).
"""

import json
import logging
import sys
from datetime import UTC, datetime
from uuid import UUID

SERVICES = {"server": "prefect", "worker": "prefect-worker"}


class JsonLines(logging.Formatter):
    """One JSON object a line; a line about a flow run carries its id, from which the run's request id is made."""

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()
        self.service = next((name for word, name in SERVICES.items() if word in sys.argv[1:3]), "flows")

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        line: dict[str, object] = {
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "logger": record.name,
            "service": self.service,
        }
        flow_run = getattr(record, "flow_run_id", None)
        if flow_run:
            line |= {"flow_run": str(flow_run), "request_id": _request_id(str(flow_run))}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _request_id(flow_run: str) -> str:
    try:
        return UUID(flow_run).hex
    except ValueError:
        return ""
