"""Are tables and indexes sound? pg_amcheck's verdict in words, with the way out."""

import re
import subprocess
from collections.abc import Mapping

from leitstand.db.cluster import bin_dir
from leitstand.errors import IntegrityFailed
from leitstand.words import msg

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
        raise IntegrityFailed(msg("pg_amcheck failed: {said}", said=said.strip()[-OUTPUT_SHOWN:]))
    raise IntegrityFailed(
        msg(
            "pg_amcheck finds damage in {names}.{remedy}",
            names=", ".join((f"{kind} {name}" for name, kind in list(kinds.items())[:NAMED])),
            remedy=_mended_by(kinds),
        ),
        hint="After a change of the system's libraries REINDEX DATABASE, as others may be wrong too; a table comes back from a backup.",
    )


def _mended_by(kinds: dict[str, str]) -> str:
    """An index is made again from its table; said in the message, because a drill's evidence has no hints."""
    indexes = [name.partition(".")[2] for name, kind in kinds.items() if kind == "btree index"]
    return "".join(f" REINDEX INDEX CONCURRENTLY {name};" for name in indexes[:NAMED])
