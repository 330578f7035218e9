"""Are tables and indexes sound? pg_amcheck's verdict in words, with the way out."""

import re
import subprocess
from collections.abc import Mapping

from leitstand.db.cluster import bin_dir
from leitstand.errors import IntegrityFailed

ARGUMENTS = ("--install-missing", "--no-dependent-toast", "--jobs=2")
DAMAGED = re.compile(r'^(btree index|heap table) "([^"]+)"', re.MULTILINE)
OUTPUT_SHOWN = 300
NAMED = 5


def check_structure(environment: Mapping[str, str], *databases: str) -> None:
    """Have pg_amcheck look at every table and index of these databases, or of all.

    Args:
        environment: as libpq reads it (PGHOST, PGPORT, …), of a superuser.

    Raises:
        IntegrityFailed: something is damaged; it names what, and what mends it.
    """
    which = databases or ("--all",)
    done = subprocess.run(
        [str(bin_dir() / "pg_amcheck"), *ARGUMENTS, *which],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return
    said = done.stdout + done.stderr
    kinds = {name: kind for kind, name in DAMAGED.findall(said)}
    if not kinds:
        raise IntegrityFailed(f"pg_amcheck failed: {said.strip()[-OUTPUT_SHOWN:]}")
    raise IntegrityFailed(
        f"pg_amcheck finds damage in {', '.join(f'{kind} {name}' for name, kind in list(kinds.items())[:NAMED])}.",
        hint=_way_out(kinds),
    )


def _way_out(kinds: dict[str, str]) -> str:
    """An index is made again from its table; a table comes back from a backup alone."""
    tables = [name for name, kind in kinds.items() if kind == "heap table"]
    if tables:
        return f"Restore to before the damage; what is damaged: {', '.join(tables[:NAMED])}."
    indexes = "; ".join(
        f"REINDEX INDEX CONCURRENTLY {name.partition('.')[2]}" for name in list(kinds)[:NAMED]
    )
    return f"{indexes}; after a change of the system's libraries better REINDEX DATABASE, as others may be wrong too."
