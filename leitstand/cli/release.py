"""leitstand release: another image in the place of the one that serves, on the server itself."""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from leitstand.cli._rehearsal import say
from leitstand.errors import Unavailable
from leitstand.words import N_, msg

if TYPE_CHECKING:
    from leitstand.releases.host import Host
    from leitstand.releases.journal import Journal
    from leitstand.releases.site import Site

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Maintenance</title></head><body style="font:1.1rem system-ui;max-width:34rem;margin:15vh auto;padding:1rem">
<h1>We are at work on this</h1><p>It will be back soon. What you have saved is safe.</p>
<h1 lang="de">Hier wird gerade gearbeitet</h1><p lang="de">Es geht bald weiter. Was Sie gespeichert haben, ist sicher.</p>
</body></html>
"""
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
by_option = click.option(
    "--by", default="", help="Who wants it, for the record; default: who is at the terminal."
)
pass_option = click.option("--pass", "passed", default="", help="Pass of the staging server for this image.")


@click.group(name="release")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="The server's folder.")
@click.pass_context
def group(context: click.Context, folder: Path | None) -> None:
    """Releases on this server: journaled, watched, and rolled back by themselves where they do no good."""
    context.obj = folder


def _server(context: click.Context) -> "tuple[Site, Host]":
    from leitstand.releases.from_settings import server
    from leitstand.settings import get_settings

    return server(context.obj or get_settings().server_dir)


@group.command(name="plan")
@click.argument("image")
@pass_option
@as_json
@click.pass_context
def plan(context: click.Context, image: str, passed: str, as_json: bool) -> None:
    """What a release of IMAGE would do, and what stands in its way; fetches the image, changes nothing else."""
    from leitstand.releases.planning import planned

    site, host = _server(context)
    found = planned(site, host, image, passed=passed)
    if as_json:
        click.echo(json.dumps(found.to_dict()))
    else:
        click.echo(f"{found.before or 'nothing'} → {image} as {found.colour}: {', '.join(found.steps)}")
        click.echo(f"migrations: {', '.join(found.facts.pending) or 'none'}")
        for one in found.refusals:
            click.echo(f"refused  {one.name}: {one.says}\n         {one.hint}")
    context.exit(1 if found.refusals else 0)


@group.command(name="rehearse")
@click.argument("image")
@pass_option
@as_json
@click.pass_context
def rehearse(context: click.Context, image: str, passed: str, as_json: bool) -> None:
    """Try IMAGE's migrations on a restored copy of this server's newest backup; changes nothing that serves."""
    from leitstand.releases.planning import rehearsed

    site, host = _server(context)
    found = rehearsed(site, host, image, passed=passed)
    if as_json:
        click.echo(json.dumps(found))
        return
    if not found:
        click.echo("nothing was released here yet: there is no backup to try them on")
        return
    say(found)


@group.command(name="start")
@click.argument("image")
@pass_option
@by_option
@click.option("--accept", multiple=True, help="Name of a refusal that you take upon yourself.")
@click.pass_context
def start(context: click.Context, image: str, passed: str, by: str, accept: tuple[str, ...]) -> None:
    """Release IMAGE (name@sha256:…); exit 1 when it was refused or rolled back."""
    from leitstand.releases import rollout

    site, host = _server(context)
    done = _watched(
        lambda: rollout.start(site, host, image, by=_who(by), tell=_tell, accept=accept, passed=passed)
    )
    _report(context, done)


@group.command(name="resume")
@by_option
@click.pass_context
def resume(context: click.Context, by: str) -> None:
    """Go on with the release that a killed process left; nothing happens where there is none."""
    from leitstand.releases import rollout

    site, host = _server(context)
    _report(context, _watched(lambda: rollout.resume(site, host, by=_who(by), tell=_tell)))


@group.command(name="rollback")
@by_option
@click.pass_context
def rollback(context: click.Context, by: str) -> None:
    """Bring back what served before; of an unfinished release, take it back."""
    from leitstand.releases import rollout

    site, host = _server(context)
    _report(context, _watched(lambda: rollout.rollback(site, host, by=_who(by), tell=_tell)), back=True)


@group.command(name="status")
@as_json
@click.pass_context
def status(context: click.Context, as_json: bool) -> None:
    """What serves, what is under way and who holds the lock."""
    from leitstand.releases.planning import standing

    site, _ = _server(context)
    found = standing(site)
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, value in found.items():
        click.echo(f"{name:<12} {value if value is not None else 'nothing'}")


@group.command(name="history")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@click.option("--id", "release_id", default="", help="Every line of one release.")
@as_json
@click.pass_context
def history(context: click.Context, limit: int, release_id: str, as_json: bool) -> None:
    """The releases of this server, the newest first: what, from what, by whom, how it ended, and its evidence."""
    from leitstand.releases import journal

    site, _ = _server(context)
    if release_id:
        found: list[Any] = journal.journal_of(site.releases, release_id).records
        lines = [json.dumps(one) for one in found]
    else:
        found = [journal.summary(one) for one in journal.journals(site.releases)[:limit]]
        lines = [
            f"{one['id']}  {one['kind']:<8} {one['outcome']:<11} {one['image'][-12:]}  {one['by']}  {one['why']}"
            for one in found
        ]
    click.echo(json.dumps({"releases": found}) if as_json else "\n".join(lines))


@group.command(name="promote-check")
@click.argument("image", default="")
@click.option("--key", is_flag=True, help="Print this server's public key instead.")
@pass_option
@as_json
@click.pass_context
def promote_check(context: click.Context, image: str, key: bool, passed: str, as_json: bool) -> None:
    """On staging: the pass of IMAGE, when it was released there. On production: whether a pass is good for it."""
    from leitstand.releases import passes

    site, _ = _server(context)
    if key:
        click.echo(passes.public_key(site))
        return
    if not passed:
        token = passes.issue(site, image)
        click.echo(json.dumps({"image": image, "pass": token}) if as_json else token)
        return
    says = passes.verified(passed, site.staging_key, image)
    click.echo(json.dumps(says) if as_json else f"passed on staging with release {says['release']}")


@group.command(name="maintenance")
@click.argument("state", type=click.Choice(["on", "off"]))
@click.pass_context
def maintenance(context: click.Context, state: str) -> None:
    """Show everybody a page that says that this is being worked on (503), or no longer."""
    _, host = _server(context)
    host.maintenance(PAGE if state == "on" else "")
    click.echo(f"maintenance {state}", err=True)


@group.command(name="facts", hidden=True)
@click.argument("what", type=click.Choice(["schema", "backups"]))
def facts(what: str) -> None:
    """What this image says of the database; asked by a release."""
    from dataclasses import asdict

    from leitstand.cli._options import database
    from leitstand.releases.facts import backup_facts, schema_facts
    from leitstand.settings import get_settings
    from leitstand.telemetry.logs import configure_logging

    configure_logging("cli", "ERROR")
    with database() as engine:
        found = schema_facts(engine) if what == "schema" else backup_facts(engine, get_settings())
    click.echo(json.dumps(asdict(found)))


@group.command(name="ssh")
@click.pass_context
def ssh(context: click.Context) -> None:
    """What a key with this as its forced command may do: one command of a short list, from SSH_ORIGINAL_COMMAND."""
    from leitstand.releases.ssh import allowed

    words = allowed(os.environ.get("SSH_ORIGINAL_COMMAND", ""))
    folder = ["--folder", str(context.obj)] if context.obj else []
    group.main(args=[*folder, *words], prog_name="leitstand release", standalone_mode=False)


def _who(by: str) -> str:
    from leitstand.cli._identity import at_the_terminal

    return f"{by} ({at_the_terminal()})" if by else at_the_terminal()


def _tell(line: str) -> None:
    """Who watches may have gone, as a cancelled pipeline has: the release goes on."""
    try:
        click.echo(line, err=True)
    except OSError:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - for the rest of this process


def _watched(work: "Callable[[], Journal | None]") -> "Journal | None":
    """Do it; a connection that breaks ends nothing, and who asks it to end has it rolled back."""
    from leitstand.releases.rollout import Cancelled

    def cancel(number: int, frame: FrameType | None) -> None:
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, signal.SIG_IGN)
        raise Cancelled(msg("It was cancelled by {signal}.", signal=signal.Signals(number).name))

    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, cancel)
    return work()


def _report(context: click.Context, done: "Journal | None", *, back: bool = False) -> None:
    from leitstand.releases import journal

    if done is None:
        click.echo("no release is unfinished", err=True)
        return
    click.echo(json.dumps(journal.summary(done)))
    if done.outcome != journal.FINISHED and not (back and done.outcome == journal.ROLLED_BACK):
        raise _NotReleased(
            msg("The release was {outcome}: {why}", outcome=done.outcome, why=done.why), hint=done.hint
        )


class _NotReleased(Unavailable):
    title = N_("Not released")
