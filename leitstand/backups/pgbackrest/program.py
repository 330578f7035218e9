"""Runs pgBackRest: never with a secret in its arguments, never longer than something moves, and never after us."""

import os
import queue
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import IO

from leitstand.backups.pgbackrest.repository import STANZA, Version
from leitstand.errors import (
    Conflict,
    IntegrityFailed,
    LeitstandError,
    PreconditionFailed,
    Unavailable,
)
from leitstand.words import N_, msg

NAME = "pgbackrest"
STALLED_SECONDS = 900.0
ENDING_SECONDS = 10.0
SHOWN = 600
FAILED = re.compile(r"ERROR: \[(\d{3})\]: (.*)", re.DOTALL)
WARNED = re.compile(r"WARN: (.*?)\n(?=\S)", re.DOTALL)
NO_SERVER, UNKNOWN_VERSION, VERSION = 56, 46, "VersionNotSupportedError"
DONE = re.compile(r"\(\S+, ([\d.]+)%\)")
# pgBackRest's own numbers of errors, where they mean more than "it failed".
KINDS: Mapping[int, type[LeitstandError]] = {
    26: IntegrityFailed, 29: IntegrityFailed, 55: IntegrityFailed, 95: IntegrityFailed,
    39: Unavailable, 42: Unavailable, 49: Unavailable, 56: Unavailable, 57: Unavailable, 82: Unavailable,
    101: Unavailable,
    50: Conflict,
}  # fmt: skip
HINTS: Mapping[int, str] = {
    26: N_("Use another backup: `leitstand backup list` shows them."),
    44: N_("The repository is that of another cluster: check the data folder."),
    46: N_("Install a pgBackRest that knows this PostgreSQL, or set LEITSTAND_BACKUP_ENGINE=postgres-tools."),
    49: N_("See whether the object store answers."),
    50: N_("Wait until the other pgBackRest has ended."),
    57: N_("Give the role the rights that docs/guide/operations.md lists under pgBackRest."),
    82: N_("PostgreSQL's archive_command fails: see its log and pg_stat_archiver."),
    87: N_("Start PostgreSQL with archive_mode = on."),
    95: N_("Check the store's certificate (LEITSTAND_S3_CA_FILE) and that the key is the repository's."),
}


class Failed(Exception):
    """pgBackRest ended with an error; `code` is its number, `said` its own words."""

    def __init__(self, command: str, code: int, said: str) -> None:
        super().__init__(said)
        self.command, self.code, self.said = command, code, said

    def as_error(self) -> LeitstandError:
        """What a person is told."""
        kind = KINDS.get(self.code, PreconditionFailed)
        short = " ".join(self.said.split())[:SHOWN]
        return kind(
            msg("pgBackRest {command} failed: {short}", command=self.command, short=short),
            hint=HINTS.get(self.code, N_("See PostgreSQL's log.")),
        )


def find() -> str:
    """The program's path.

    Raises:
        PreconditionFailed: there is none.
    """
    found = shutil.which(NAME)
    if found is None:
        raise PreconditionFailed(
            "pgBackRest is not installed.",
            hint="Debian and Ubuntu: apt install pgbackrest; or set LEITSTAND_BACKUP_ENGINE=postgres-tools.",
        )
    return found


def version() -> Version:
    """Of the installed program."""
    return _version(find())


@lru_cache(maxsize=4)
def _version(program: str) -> Version:
    said = subprocess.run(
        [program, "version"], capture_output=True, text=True, check=False, timeout=60
    ).stdout
    found = re.search(r"(\d+)\.(\d+)", said)
    if found is None:
        raise PreconditionFailed(
            msg("{program} does not say its version.", program=program), hint="Install pgBackRest again."
        )
    return int(found[1]), int(found[2])


def argv(command: str, configuration: Path, *options: str) -> list[str]:
    """A command as a list of words."""
    return [find(), f"--config={configuration}", f"--stanza={STANZA}", *options, command]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours, without what would change pgBackRest's configuration."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PGBACKREST_")}
    return {**own, "LC_ALL": "C", **(more or {})}


def run(
    command: str,
    configuration: Path,
    *options: str,
    more: Mapping[str, str] | None = None,
    moved: Callable[[str], None] | None = None,
) -> str:
    """Run a command to its end and give what it printed.

    Args:
        more: environment variables besides ours.
        moved: told how far it is; then its log is what it prints.

    Raises:
        Failed: it ended with an error.
        Unavailable: it printed nothing for `STALLED_SECONDS`, and was ended.
    """
    log = ["--log-level-console=detail" if moved else "--log-level-console=off", "--log-level-stderr=warn"]
    process = subprocess.Popen(
        [*_ends_with_us(), *argv(command, configuration, *log, *options)],
        env=environment(more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if moved else subprocess.PIPE,
        text=True,
        errors="replace",
    )
    try:
        said, complained = _followed(process, command, moved)
    finally:
        _end(process)
    if process.returncode != 0:
        raise failure(command, process.returncode, complained or said)
    return said


def _ends_with_us() -> list[str]:
    """A pgBackRest that outlives the process that started it would go on with a backup which nobody waits for."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []


def _followed(
    process: "subprocess.Popen[str]", command: str, moved: Callable[[str], None] | None
) -> tuple[str, str]:
    """Everything that comes, from both outputs; ends what nothing comes from."""
    lines: queue.Queue[tuple[int, str | None]] = queue.Queue()
    streams = [stream for stream in (process.stdout, process.stderr) if stream]
    for number, stream in enumerate(streams):
        threading.Thread(target=_read, args=(number, stream, lines), daemon=True).start()
    texts: list[list[str]] = [[], []]
    open_streams = len(streams)
    while open_streams:
        try:
            number, line = lines.get(timeout=STALLED_SECONDS)
        except queue.Empty:
            raise Unavailable(
                msg(
                    "pgBackRest {command} stood still for {stalled_seconds:.0f} s and was ended.",
                    command=command,
                    stalled_seconds=STALLED_SECONDS,
                ),
                hint="See PostgreSQL's log, its archiver (pg_stat_archiver) and the object store.",
            ) from None
        if line is None:
            open_streams -= 1
            continue
        texts[number].append(line)
        if moved and (share := DONE.search(line)):
            moved(f"pgBackRest {command}: {share[1]} %")
    process.wait(STALLED_SECONDS)
    return "".join(texts[0]), "".join(texts[1])


def _read(number: int, stream: IO[str], lines: "queue.Queue[tuple[int, str | None]]") -> None:
    for line in stream:
        lines.put((number, line))
    lines.put((number, None))


def _end(process: "subprocess.Popen[str]") -> None:
    """Politely first, so that its own processes and its session end with it."""
    if process.poll() is not None:
        return
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(ENDING_SECONDS)
    process.kill()
    process.wait()


def failure(command: str, code: int, text: str) -> Failed:
    """What pgBackRest printed, as its error; that it can't reach the server says less than the warning before."""
    found = list(_errors(text))
    number, said = found[0] if found else (code, text.strip()[-SHOWN:] or f"exit code {code}")
    if number == NO_SERVER and (warned := WARNED.search(text)):
        said = warned[1]
    return Failed(command, UNKNOWN_VERSION if VERSION in said else number, said)


def _errors(text: str) -> Iterator[tuple[int, str]]:
    """Each error with the lines that belong to it, which are indented."""
    told = re.split(r"\n(?=\S)", text)
    for one in told:
        if found := FAILED.search(one):
            yield int(found[1]), found[2].strip()
