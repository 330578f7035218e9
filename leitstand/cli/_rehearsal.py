"""How a rehearsal of migrations went, in words: said by `migrate rehearse`, and by `release rehearse` of another image's."""

from typing import Any

import click

CONTRACTS, EXPANDS = "contracts", "expands"


def say(found: dict[str, Any]) -> None:
    """Print it; `found` is `runbooks.migration_rehearsal.Rehearsed` as JSON values."""
    click.echo(f"backup {found['backup']} of {found['taken_at']}, restored in {found['restore_seconds']} s")
    for one in found["applied"]:
        kind = CONTRACTS if one["contracts"] else EXPANDS
        click.echo(f"{one['revision']:<28} {kind:<10} {one['seconds']:>7.1f} s")
    click.echo(f"from {found['revision']}: all of them apply" if found["applied"] else "nothing was pending")
