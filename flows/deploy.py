"""Bring the flows and their schedules to Prefect: `python -m flows.deploy`.

Idempotent: every deployment carries a digest of what it was made from, so that nothing is sent, and Prefect is not
even imported, when nothing changed. A deployment that the schedules no longer name is deleted.
"""

import hashlib
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from flows.schedules import Deployment, load
from leitstand import __version__
from leitstand.db.engine import transaction
from leitstand.errors import LeitstandError, Unavailable
from leitstand.jobs import flow_executions
from leitstand.jobs.prefect_api import PrefectApi
from leitstand.settings import Settings, get_settings
from leitstand.telemetry.logs import configure_logging, get_logger

HERE = Path(__file__).parent
WAIT_SECONDS = 60.0
PATIENCE_SECONDS = 30.0
POLL_SECONDS = 0.2
DIGEST_LENGTH = 16
log = get_logger("deploy")


def digest_of(deployment: Deployment) -> str:
    """What a deployment is made from: its entry, the flows' code, this interpreter and this version."""
    parts = [
        deployment.model_dump_json(),
        sys.executable,
        __version__,
        *(path.read_text(encoding="utf-8") for path in sorted(HERE.glob("*.py"))),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:DIGEST_LENGTH]


def wait_for_server(api: PrefectApi, seconds: float = WAIT_SECONDS) -> None:
    """Wait until Prefect's server is healthy.

    Raises:
        Unavailable: it is not, after so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not api.healthy():
        if time.monotonic() > deadline:
            raise Unavailable(
                f"Prefect's server at {api.url} is not healthy after {seconds:.0f} s.",
                hint="See the log of the service prefect.",
            )
        time.sleep(POLL_SECONDS)


def outdated(wanted: Iterable[Deployment], api: PrefectApi) -> tuple[list[Deployment], list[str]]:
    """The deployments to send, and the ids of those to delete."""
    present, by_name = api.digests(), {deployment.name: deployment for deployment in wanted}
    changed = [
        entry
        for name, entry in by_name.items()
        if name not in present or present[name][1] != digest_of(entry)
    ]
    return changed, [identity for name, (identity, _) in present.items() if name not in by_name]


def deploy(settings: Settings) -> list[str]:
    """Bring the schedules file to the server and give the names of the deployments that were sent."""
    wanted = load(settings.schedules_file)
    api = PrefectApi(settings)
    wait_for_server(api)
    changed, gone = outdated(wanted, api)
    if changed or gone:
        from flows.publish import publish

        publish([(entry, digest_of(entry)) for entry in changed], gone)
    if settings.rehearsal:
        api.pause_pool()
    return [entry.name for entry in changed]


def crash_unfinished(settings: Settings, before: datetime) -> int:
    """Mark the runs that the environment's end interrupted as crashed, in Prefect and with us; give how many.

    Args:
        before: when this start began: what began later is not meant.
    """
    api = PrefectApi(settings)
    wait_for_server(api)
    with transaction() as session:
        flow_executions.crash_running(session, before)
    return api.crash_unfinished(before)


def cancel_superseded(settings: Settings, now: datetime) -> int:
    """Cancel what waited while Prefect was down, but for the newest instant of each schedule; give how many.

    Those that are left, because the server is too slow just after its start, end as skipped when they run.
    """
    try:
        return PrefectApi(settings, timeout=PATIENCE_SECONDS).cancel_superseded(now)
    except Unavailable as error:
        log.warning("late runs are left", error=error.message)
        return 0


def main() -> None:
    """Deploy; one line of what was done, exit code 1 and a hint where it could not be.

    With `--crash-unfinished`, which is for the start of an environment that has one worker, runs that were going on
    when it ended are marked as crashed first: they would hold up the next. Late runs that newer ones make idle are cancelled.
    """
    began, settings = datetime.now(UTC), get_settings()
    configure_logging("deploy", settings.log_level)
    try:
        first = "--crash-unfinished" in sys.argv[1:]
        crashed = crash_unfinished(settings, began) if first else 0
        cancelled = cancel_superseded(settings, began) if first else 0
        sent = deploy(settings)
    except LeitstandError as error:
        log.error("not deployed", error=error.message, hint=error.hint)  # noqa: TRY400 - a person reads this, no trace
        sys.exit(error.exit_code)
    log.info("deployed", sent=sent, crashed=crashed, cancelled=cancelled)


if __name__ == "__main__":
    main()
