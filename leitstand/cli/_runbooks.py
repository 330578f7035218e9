"""What the commands of `leitstand runbook` take and show."""

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from leitstand.runbooks.library import Notebook
    from leitstand.runbooks.results import DrillResult
    from leitstand.runbooks.runs import RunView

SHOWN = 200


def parsed(parameters: tuple[str, ...]) -> dict[str, object]:
    """NAME=VALUE of the command line."""
    found: dict[str, object] = {}
    for parameter in parameters:
        name, equals, value = parameter.partition("=")
        if not equals:
            raise click.BadParameter(f"{parameter!r} is not NAME=VALUE")
        found[name.strip()] = value
    return found


def typed_target(values: Mapping[str, object], given: str) -> str:
    """The name of the target of a run that is no dry run: as given, or typed where somebody is there."""
    from leitstand.runbooks.parameters import for_real

    if given or not for_real(values) or not sys.stdin.isatty():
        return given
    return str(click.prompt("Type the name of the target to go on", err=True))


def is_id(text: str) -> bool:
    """Whether it can be an id, or the beginning of one."""
    return bool(text) and all(character in "0123456789abcdef-" for character in text.lower())


def show_result(result: "DrillResult", *, as_json: bool) -> None:
    """How a run went."""
    if as_json:
        click.echo(json.dumps(result.to_dict()))
        return
    click.echo(f"{'done' if result.ok else 'FAILED'}  {result.seconds:.1f} s  run {result.drill_id}")
    click.echo(f"evidence  {result.notebook}\n          {result.html}")
    for note in filter(None, (result.error, result.waiting)):
        click.echo(note, err=True)
    if not result.ok:
        click.echo(f"go on with it: leitstand runbook resume {result.drill_id}", err=True)


def run_line(run: "RunView") -> str:
    """One run in a list."""
    who = run.row.requested_by or "by schedule"
    signed = ", ".join(link.content.get("signer", "a signature that was changed") for link in run.signatures)
    shown = f"signed by {signed}" if signed else "not signed"
    return f"{run.row.started_at:%Y-%m-%d %H:%M} UTC  {run.status:<11} {run.row.kind:<26} {run.row.id}  {who}  {shown}"


def show_text(notebook: "Notebook", *, as_json: bool) -> None:
    """The text of a runbook, and its parameters with types and defaults."""
    from leitstand.runbooks.texts import parameters_of, text_of

    text = text_of(notebook)
    fields = parameters_of(notebook)
    if as_json:
        document = {"number": notebook.number, "name": notebook.name, "title": notebook.title}
        click.echo(
            json.dumps({**document, "text": text, "parameters": [field.to_dict() for field in fields]})
        )
        return
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(text))
    else:
        click.echo(text)
    click.echo("\nParameters")
    for field in fields:
        click.echo(f"  {field.name:<20} {field.type:<12} {field.default!r:<14} {field.help}")
    click.echo(f"\nStart it:  leitstand runbook run {notebook.name} -p NAME=VALUE")


def show_run(run_id: str, *, as_json: bool) -> None:
    """One run."""
    from leitstand.cli._options import database
    from leitstand.db.engine import transaction
    from leitstand.runbooks.runs import view

    with database() as engine, transaction(engine) as session:
        run = view(session, run_id)
    if as_json:
        click.echo(json.dumps(run.to_dict()))
        return
    click.echo(run_line(run))
    if run.row.error:
        click.echo(f"error      {run.row.error}")
    if run.row.resumed_from:
        click.echo(f"goes on with run {run.row.resumed_from}")
    _show_pairs("parameters", run.row.parameters)
    figures = dict(run.row.figures)
    _show_pairs("steps, seconds", figures.pop("steps", {}))
    for check in figures.pop("checks", []):
        click.echo(f"  {check['verdict']:<8} {check['name']}: {check['detail']}")
    _show_pairs("figures", figures)
    if run.link:
        _show_pairs("evidence", {**run.link.content, "link": run.link.sequence, "sha256": run.link.sha256})
    for link in run.signatures:
        _show_pairs("signature", link.content)
    if run.resumable:
        click.echo(f"go on with it: leitstand runbook resume {run.row.id}")


def _show_pairs(title: str, values: dict[str, Any]) -> None:
    if values:
        click.echo(title)
    for name, value in values.items():
        text = value if isinstance(value, str) else json.dumps(value)
        click.echo(f"  {name:<20} {text if len(text) <= SHOWN else text[:SHOWN] + ' …'}")
