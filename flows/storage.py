"""Look whether the object store still does what Leitstand relies on."""

from typing import Any

from prefect import flow, task

from flows.execution import once, say
from leitstand.errors import IntegrityFailed
from leitstand.settings import get_settings


@task(name="probe-storage")
def probe_once() -> dict[str, Any]:
    """Try everything; something needed that fails, fails the task."""
    from leitstand.storage.objects import ObjectStorage

    result = ObjectStorage(get_settings()).probe()
    for finding in result.findings:
        say(
            f"{finding.name}: {'works' if finding.works else 'FAILS' if finding.needed else 'no'} {finding.detail}"
        )
    if not result.ok:
        failed = [finding.name for finding in result.findings if finding.needed and not finding.works]
        raise IntegrityFailed(
            f"The object store fails in: {', '.join(failed)}.", hint="`leitstand storage probe` shows how."
        )
    return result.to_dict()


@flow(name="probe-storage")
def probe_storage() -> Any:
    """Probe the object store."""
    return once("probe-storage", probe_once)
