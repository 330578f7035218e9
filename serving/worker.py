"""The worker process: the queue worker, and beside it /livez, /readyz and /metrics on the worker's port.

`python -m serving.worker` (what `leitstand worker run` executes). SIGTERM: no further job is taken, those that run
may finish for `GRACE_SECONDS`; what still runs then goes back to the queue and the process ends.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from leitstand.backups.metrics import BackupsCollector
from leitstand.checks.metrics import ChecksCollector
from leitstand.db.engine import get_engine, make_engine
from leitstand.db.figures import install
from leitstand.errors import Unavailable
from leitstand.events.archive.metrics import ArchiveCollector
from leitstand.jobs.metrics import FlowsCollector, PrefectCollector, QueueCollector
from leitstand.jobs.worker import CONCURRENCY, QueueWorker
from leitstand.services import WORKER
from leitstand.settings import get_settings
from leitstand.telemetry.logs import configure_logging, get_logger
from serving.app import create_app, probe_database

GRACE_SECONDS = 20.0
# What is true of the whole environment is told by one service.
FIGURES = (
    QueueCollector,
    FlowsCollector,
    PrefectCollector,
    ChecksCollector,
    ArchiveCollector,
    BackupsCollector,
)
log = get_logger("worker")


def create(concurrency: int = CONCURRENCY) -> FastAPI:
    """The worker's application; the worker starts and ends with it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        install(*FIGURES)
        app.state.worker = worker = QueueWorker(
            make_engine(get_settings(), application="leitstand-worker-records"),
            get_settings(),
            concurrency=concurrency,
        )
        task = asyncio.create_task(worker.run())
        yield
        await _stop(worker, task)

    app = create_app(
        WORKER.name,
        title="Queue worker",
        lifespan=lifespan,
        probes={"database": probe_database, "queue": lambda: _probe(app)},
    )
    return app


def _probe(app: FastAPI) -> None:
    if not app.state.worker.working:
        raise Unavailable("The worker is not listening to the queue.")


async def _stop(worker: QueueWorker, task: asyncio.Task[None]) -> None:
    worker.stop()
    await asyncio.wait([task], timeout=GRACE_SECONDS)
    worker.say_goodbye()
    if task.done():
        log.info("worker stopped")
        return
    log.warning("stopped with jobs unfinished: they are in the queue again", jobs=worker.give_back())
    get_engine().dispose()
    # The jobs' threads can't be ended in any other way, and Python waits for threads.
    os._exit(0)


def main() -> None:
    """Run the worker until it is told to stop."""
    settings = get_settings()
    configure_logging(WORKER.name, settings.log_level)
    uvicorn.run(
        create(), host=settings.host, port=settings.port_of(WORKER), log_config=None, access_log=False
    )


if __name__ == "__main__":
    main()
