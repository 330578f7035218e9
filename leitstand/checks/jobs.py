"""Jobs of this area."""

from leitstand.jobs.registry import job


@job("operations.checks", attempts=2, lock="checks", first_wait=60)
def checks(*, suite: str) -> None:
    """Run data checks on the live database; what does not hold is in the result, and no failure of the job."""
    from leitstand.checks.run import check_live
    from leitstand.db.engine import get_engine
    from leitstand.settings import get_settings

    check_live(get_engine(), get_settings(), suites=[suite])
