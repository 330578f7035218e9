"""Jobs of this area."""

from uuid import UUID

from leitstand.jobs.registry import job


@job("imports.run", lock="s3-import-{import_id}")
def run_import(*, import_id: str) -> None:
    """Take what is new in a bucket; what was taken before the worker was killed is not taken again."""
    from leitstand.db.engine import get_engine
    from leitstand.imports.taking import run
    from leitstand.settings import get_settings
    from leitstand.storage.objects import ObjectStorage

    run(get_engine(), ObjectStorage(get_settings()), import_id=UUID(import_id))
