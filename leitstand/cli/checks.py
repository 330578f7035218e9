"""leitstand checks: run the data checks, list them, and see how they went."""

import json
import sys
from typing import Any

import click

from leitstand.telemetry.logs import configure_logging


@click.group(name="checks")
def group() -> None:
    """Data checks: rules that the data must follow, and facts that must equal raw events."""


@group.command(name="run")
@click.argument("suites", nargs=-1, metavar="[SUITE]...")
@click.option("--database", "variable", metavar="VARIABLE",
              help="Check another database, whose address this environment variable holds; nothing is kept.")  # fmt: skip
@click.option("--target", help="Name under which the result of another database is reported.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a list.")
def run(suites: tuple[str, ...], variable: str | None, target: str | None, as_json: bool) -> None:
    """Run the checks of these suites (all without any; `ingestion`: those that events can violate).

    Looks at this environment's database and keeps the result. Exit code 1 when a check does not hold.
    """
    configure_logging("cli", "WARNING")
    result = _other(suites, variable, target) if variable or target else _live(suites)
    if as_json:
        click.echo(json.dumps(result.to_dict()))
    else:
        for check in result.results:
            _show(check)
        skipped = f", {len(result.skipped)} skipped" if result.skipped else ""
        click.echo(
            f"{result.evaluated} checks, {result.failed} failed{skipped}, {result.seconds:.1f} s  {result.documents}".rstrip()
        )
    sys.exit(0 if result.success else 1)


def _live(suites: tuple[str, ...]) -> Any:
    from leitstand.checks.run import check_live
    from leitstand.db.engine import get_engine
    from leitstand.settings import get_settings

    return check_live(get_engine(), get_settings(), suites=suites)


def _other(suites: tuple[str, ...], variable: str | None, target: str | None) -> Any:
    import os

    from leitstand.checks.run import run_checks
    from leitstand.errors import InvalidInput
    from leitstand.settings import get_settings

    url = os.environ.get(variable, "") if variable else get_settings().database_url
    if not url:
        raise InvalidInput(
            f"The environment variable {variable} is not set.",
            hint="It holds an address like postgresql+psycopg://USER:PASSWORD@HOST:PORT/DATABASE.",
        )
    return run_checks(url, target=target or "another database", suites=suites)


def _show(check: dict[str, Any]) -> None:
    mark = click.style("ok    ", fg="green") if check["success"] else click.style("FAILED", fg="red")
    if check.get("skipped"):
        mark = click.style("–     ", fg="yellow")
    click.echo(f"{mark} {check['name']:<30} {check['says']}")
    if check.get("skipped"):
        click.echo(f"       {check['skipped']}")
    if not check["success"]:
        click.echo(f"       {check['error'] or 'rows that violate it: ' + str(check['unexpected'])}")
        for example in check["examples"]:
            click.echo(f"       {json.dumps(example, ensure_ascii=False)}")


@group.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a list.")
def list_checks(as_json: bool) -> None:
    """The checks that there are, and the tables that need none."""
    from leitstand.checks.files import load, unchecked
    from leitstand.settings import get_settings

    folder = get_settings().checks_dir
    checks = [
        {
            "name": expectation["meta"]["name"],
            "suite": suite.name,
            "table": suite.table,
            "says": expectation["meta"]["says"],
        }
        for suite in load(folder).suites
        for expectation in suite.expectations
    ]
    without = unchecked(folder).tables
    if as_json:
        click.echo(json.dumps({"checks": checks, "unchecked": without}))
        return
    for check in checks:
        click.echo(f"{check['suite']:<20} {check['name']:<30} {check['says']}")
    for table, why in without.items():
        click.echo(f"{'–':<20} {table:<30} {why}")


@group.command(name="show")
@click.argument("suite")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a list.")
def show(suite: str, as_json: bool) -> None:
    """The last result of SUITE on the live database, with some of the rows that violate its checks."""
    from leitstand.checks.history import last_of
    from leitstand.db.engine import transaction

    with transaction() as session:
        found = last_of(session, suite)
    if as_json:
        click.echo(json.dumps(found))
        return
    for check in found["results"]:
        _show(check)
    click.echo(
        f"{found['at']}  {found['evaluated']} checks, {found['failed']} failed  {found['documents']}".rstrip()
    )


@group.command(name="history")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a list.")
def history(limit: int, as_json: bool) -> None:
    """The latest runs, on the live database and on restored ones."""
    from leitstand.checks.history import latest
    from leitstand.db.engine import transaction

    with transaction() as session:
        runs = latest(session, limit=limit)
    if as_json:
        click.echo(json.dumps({"runs": [run.to_dict() for run in runs]}))
        return
    for run in runs:
        line = f"{run.at:%Y-%m-%d %H:%M:%S}  {run.target:<10} {run.suite:<12} {run.evaluated} checks, {run.failed} failed"
        click.echo(f"{line}  {', '.join(run.violated)}".rstrip())
