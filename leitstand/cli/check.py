"""leitstand check: run the data checks, list them, and see how they went."""

import json
import sys

import click

from leitstand.telemetry.logs import configure_logging


@click.group(name="check")
def group() -> None:
    """Data checks: rules that the data must follow, and facts that must equal raw events."""


@group.command(name="run")
@click.option(
    "--target",
    default="live",
    show_default=True,
    help="Name under which the result is reported; that of `live` is kept.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a list.")
def run(target: str, as_json: bool) -> None:
    """Run every check on this environment's database; exit code 1 when one does not hold."""
    from leitstand.checks.run import run_checks
    from leitstand.settings import get_settings

    configure_logging("cli", "WARNING")
    result = run_checks(get_settings().database_url, target=target)
    if as_json:
        click.echo(json.dumps(result.to_dict()))
    else:
        for check in result.results:
            _show(check)
        click.echo(f"{result.evaluated} checks, {result.failed} failed, {result.seconds:.1f} s")
    sys.exit(0 if result.success else 1)


def _show(check: dict[str, object]) -> None:
    mark = click.style("ok    ", fg="green") if check["success"] else click.style("FAILED", fg="red")
    click.echo(f"{mark} {check['name']:<26} {check['says']}")
    if not check["success"]:
        click.echo(f"       {check['error'] or 'rows that violate it: ' + str(check['unexpected'])}")
        for example in check["examples"]:  # type: ignore[attr-defined]
            click.echo(f"       {json.dumps(example, ensure_ascii=False)}")


@group.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a list.")
def list_checks(as_json: bool) -> None:
    """The checks that there are."""
    from leitstand.checks.files import load
    from leitstand.settings import get_settings

    checks = [
        {
            "name": expectation["meta"]["name"],
            "suite": suite.name,
            "table": suite.table,
            "says": expectation["meta"]["says"],
        }
        for suite in load(get_settings().checks_dir).suites
        for expectation in suite.expectations
    ]
    if as_json:
        click.echo(json.dumps({"checks": checks}))
        return
    for check in checks:
        click.echo(f"{check['table']:<14} {check['name']:<26} {check['says']}")


@group.command(name="history")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a list.")
def history(limit: int, as_json: bool) -> None:
    """The latest runs on the live database."""
    from leitstand.checks.history import latest
    from leitstand.db.engine import transaction

    with transaction() as session:
        runs = [run.to_dict() for run in latest(session, limit=limit)]
    if as_json:
        click.echo(json.dumps({"runs": runs}))
        return
    for run in runs:
        violated = run["violated"]
        click.echo(
            f"{run['at']}  {run['evaluated']} checks, {run['failed']} failed  {', '.join(violated) if isinstance(violated, list) else ''}"
        )
