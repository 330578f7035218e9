"""A dump of the database that no tool of ours is needed for: `pg_dump -Fc`, zstd, age; restored by `pg_restore`.

It is the second way back, for what a copy of the files shares with its source: a damaged page, another architecture,
another major version. It has no log, so it brings back the instant at which it began and no other.
"""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, cast

from sqlalchemy import make_url

from leitstand.backups import fingerprint, keys
from leitstand.backups.combining import every_tenth
from leitstand.backups.connection import client_environment
from leitstand.backups.engines.interface import Manifest
from leitstand.backups.parts import Part, PartsReader, PartWriter
from leitstand.backups.sealing import Measured, unsealed
from leitstand.backups.streaming import NothingCame, essence, refuse_older, sealed_output
from leitstand.backups.work import Job, Outcome, Progress
from leitstand.db.cluster import EXTENSIONS, MEMBER, Cluster, bin_dir
from leitstand.db.exclusive import SCHEMA, check_held, exclusive
from leitstand.db.migrate import current
from leitstand.errors import Conflict, IntegrityFailed, NotFound, PreconditionFailed
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.words import msg

ENGINE = "pg_dump"
LOCK_WAIT = "60s"
CHUNK = 1024 * 1024
ENTRIES = re.compile(r"^\d+; ", re.MULTILINE)
EXTENSION = re.compile(r"^\d+; \d+ \d+ (EXTENSION|COMMENT - EXTENSION) ")


def take(job: Job) -> Outcome:
    """Dump the database, while no migration changes its tables; what it stores lies under `job.prefix`.

    Raises:
        Conflict: a migration runs, or somebody keeps a table locked.
        PreconditionFailed: pg_dump is older than the server, or failed.
        Unavailable: the store failed, or nothing came for too long.
    """
    with job.source.begin() as connection:
        source, counts = fingerprint.server(connection), fingerprint.counts(connection)
    refuse_older("pg_dump", int(source["version_number"]))
    with exclusive(job.source, SCHEMA) as lock:
        revision = current(job.source)
        writer = PartWriter(job.storage, job.bucket, job.prefix, job.folder)
        try:
            content, _ = sealed_output(job, _argv(), writer, what="PostgreSQL dumped")
            parts = writer.finish()
        except NothingCame as error:
            if "statement timeout" in error.message:  # how pg_dump gives up waiting for a lock
                raise Conflict(
                    msg("A table stayed locked for {lock_wait}, so no dump was taken.", lock_wait=LOCK_WAIT),
                    hint="See who holds it in pg_locks, and run it again.",
                ) from error
            raise
        finally:
            writer.discard()
        check_held(lock, SCHEMA)
    manifest = {
        "system_identifier": source["system_identifier"],
        "postgres_version": source["postgres_version"],
        "database": make_url(job.settings.database_url).database,
        "schema_revision": revision,
        "counts": counts,
        "counted_at": source["at"].isoformat(),
        "parts": [vars(part) for part in parts],
        "content": vars(content),
    }
    return Outcome(manifest, sum(part.bytes for part in parts))


def _argv() -> list[str]:
    """What it waits for longer than `LOCK_WAIT` makes it fail: behind a waiting dump, every writer would wait too."""
    program = str(bin_dir() / "pg_dump")
    return [
        program,
        "--format=custom",
        "--compress=none",
        f"--lock-wait-timeout={LOCK_WAIT}",
        "--no-password",
    ]


def check(settings: Settings, manifest: Manifest, say: Progress) -> dict[str, object]:
    """Read all of a dump: its table of contents, then every row of it through pg_restore, into nothing.

    Raises:
        IntegrityFailed: it is not what was stored, or pg_restore can't read it.
        PreconditionFailed: no key opens it.
    """
    say("reading the table of contents")
    contents = table_of_contents(settings, manifest)
    say("reading every row (pg_restore)")
    _fed(settings, manifest, ["--file=/dev/null"], say=say)
    return {
        "parts": len(manifest["parts"]),
        "content bytes": manifest["content"]["bytes"],
        "entries of its table of contents": len(ENTRIES.findall(contents)),
    }


def restore(
    settings: Settings, *, manifest: Manifest, database: str, progress: Progress | None = None
) -> None:
    """Restore a dump into an empty database of the server that the settings name, all of it or nothing.

    Extensions are not made, as only a superuser may: those that the database has are used.

    Args:
        database: its name; the one in use is refused.

    Raises:
        PreconditionFailed: it is the one in use, it is not empty, or pg_restore failed.
        IntegrityFailed: the dump is not what was stored.
        NotFound: there is no such database.
    """
    say = progress or (lambda _: None)
    url = make_url(settings.database_url)
    if database == url.database:
        raise PreconditionFailed(
            msg("{database} is the database in use.", database=database),
            hint="Restore into another one, and look at it first.",
        )
    own = settings.model_copy(
        update={"database_url_override": url.set(database=database).render_as_string(hide_password=False)}
    )
    _refuse_occupied(own, database)
    entries = [
        line for line in table_of_contents(settings, manifest).splitlines() if not EXTENSION.match(line)
    ]
    folder = settings.data_dir / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = folder / f"dump-{manifest['id']}.list"
    try:
        wanted.write_text("\n".join(entries) + "\n")
        say("restoring tables, then indexes (pg_restore)")
        options = ["--single-transaction", "--exit-on-error", f"--use-list={wanted}", f"--dbname={database}"]
        _fed(settings, manifest, [*options, "--no-password"], own=own, say=say)
    finally:
        wanted.unlink(missing_ok=True)


def create_database(settings: Settings, database: str) -> None:
    """Make a database with the extensions that ours has; one that is there stays.

    Raises:
        PreconditionFailed: the server is not the embedded one, whose superuser's password we know.
    """
    import psycopg

    url = make_url(settings.database_url)
    cluster = Cluster(settings.data_dir / "postgres", url.port or 5432, url.password or "")
    try:
        cluster.prepare(database)
    except psycopg.OperationalError as error:
        raise PreconditionFailed(
            "Only where PostgreSQL runs embedded can a database be made from here.",
            hint=msg(
                "Make it by hand, with the role {member} and the extensions {names}: `createdb -O {username} {database}`.",
                member=MEMBER,
                names=", ".join(EXTENSIONS),
                username=url.username,
                database=database,
            ),
        ) from error


def _refuse_occupied(settings: Settings, database: str) -> None:
    import psycopg

    query = "SELECT count(*) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'p') AND nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%'"
    address = make_url(settings.database_url).set(drivername="postgresql")
    try:
        with psycopg.connect(address.render_as_string(hide_password=False), connect_timeout=10) as connection:
            row = connection.execute(query).fetchone()
    except psycopg.OperationalError as error:
        raise NotFound(
            msg("The database {database} can't be reached.", database=database),
            hint="Make it first: `--create` does so where PostgreSQL runs embedded.",
        ) from error
    if row and row[0]:
        raise PreconditionFailed(
            msg("{database} is not empty: it has {row} tables.", database=database, row=row[0]),
            hint="Restore into an empty one.",
        )


def table_of_contents(settings: Settings, manifest: Manifest) -> str:
    """What a dump has, as `pg_restore --list` writes it. Raises as `check`."""
    return _fed(settings, manifest, ["--list"])


def _fed(
    settings: Settings,
    manifest: Manifest,
    options: list[str],
    *,
    own: Settings | None = None,
    say: Progress | None = None,
) -> str:
    """pg_restore fed with a dump; gives what it wrote.

    Args:
        own: settings of the database to restore into.
    """
    environment = client_environment(own or settings, application="leitstand-restore")
    argv = [str(bin_dir() / "pg_restore"), *options]
    with tempfile.TemporaryFile("w+b") as out, tempfile.TemporaryFile("w+b") as errors:
        process = subprocess.Popen(argv, env=environment, stdin=subprocess.PIPE, stdout=out, stderr=errors)
        try:
            with _plain(settings, manifest, say) as plain:
                _feed(plain, cast(IO[bytes], process.stdin), manifest["content"])
            code = process.wait()
        finally:
            process.kill()
            process.wait()
        out.seek(0)
        errors.seek(0)
        said = errors.read().decode(errors="replace")
        if code != 0:
            raise PreconditionFailed(
                msg("pg_restore failed: {said}", said=essence(said)), hint="Nothing of it was kept."
            )
        return out.read().decode(errors="replace")


@contextmanager
def _plain(settings: Settings, manifest: Manifest, say: Progress | None) -> Iterator[Measured]:
    parts = [Part.of(entry) for entry in manifest["parts"]]
    seen = every_tenth(int(manifest["content"]["bytes"]), say) if say else None
    try:
        with (
            PartsReader(ObjectStorage(settings), settings.bucket_backups, parts) as sealed,
            unsealed(cast(IO[bytes], sealed), keys.identities(settings)) as stream,
        ):
            yield Measured(stream, seen=seen)
    except (IntegrityFailed, NotFound) as error:
        raise IntegrityFailed(
            msg("Dump {id} is damaged: {message}", id=manifest["id"], message=error.message),
            hint="Use another.",
        ) from error


def _feed(plain: Measured, sink: IO[bytes], expected: dict[str, Any]) -> None:
    """All of it, the end only after the whole was found to be what was dumped: so nothing else is ever committed.

    A program that has seen enough, or failed, stops reading; its exit code tells which.
    """
    held = b""
    with suppress(BrokenPipeError), sink:
        while piece := plain.read(CHUNK):
            sink.write(held)
            held = piece
        if (plain.content.bytes, plain.content.sha256) != (expected["bytes"], expected["sha256"]):
            raise IntegrityFailed("what was read is not what was dumped (SHA-256 differs).")
        sink.write(held)
