"""Evidence of an incident, kept before anything is changed: who is in, what runs, what was logged, each with its hash."""

import gzip
import hashlib
import json
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from leitstand import __version__
from leitstand.db.engine import transaction
from leitstand.db.models import ApiToken, AuditEntry, Membership, Person, UserSession
from leitstand.errors import LeitstandError
from leitstand.runbooks.pending import evidence_folder
from leitstand.runbooks.redaction import Redactor
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage

PREFIX = "compromise/"
MANIFEST = "manifest.json"
LOG_BYTES = 200_000_000
# What a row proves without being of use to who reads it.
HIDDEN = {"password_hash", "token_hash"}


@dataclass
class Preserved:
    """What was kept, and where.

    Args:
        place: s3:// address of the folder, or a folder of this machine where the store did not answer.
        files: name, bytes and SHA-256 of each.
        missing: what could not be had, and why.
    """

    place: str
    files: list[dict[str, Any]] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    sha256: str = ""


def preserve(engine: Engine, settings: Settings, name: str, more: dict[str, Any]) -> Preserved:
    """Keep it all under `name`; what can't be had is noted and holds up nothing.

    Args:
        more: further documents by name, as the files that differ from the release.
    """
    write, place = _writer(settings, name)
    kept, redactor = Preserved(place), Redactor(settings)
    for title, make in _documents(engine, settings, more).items():
        try:
            content = make()
        except Exception as error:  # whatever it is, the rest has to be kept
            kept.missing[title] = error.message if isinstance(error, LeitstandError) else type(error).__name__
            continue
        if not isinstance(content, bytes):
            content = json.dumps(redactor.cleaned(content), indent=1, default=str).encode()
        write(title, content)
        digest = hashlib.sha256(content).hexdigest()
        kept.files.append({"name": title, "bytes": len(content), "sha256": digest})
    manifest = {"kept_at": datetime.now(UTC).isoformat(), "files": kept.files, "missing": kept.missing}
    body = json.dumps(manifest, indent=1).encode()
    write(MANIFEST, body)
    kept.sha256 = hashlib.sha256(body).hexdigest()
    return kept


def still_there(settings: Settings, kept: Preserved) -> list[str]:
    """Names of what is not any more as it was kept; empty when all is."""
    storage, changed = ObjectStorage(settings), []
    bucket, _, prefix = kept.place.removeprefix("s3://").partition("/")
    for file in kept.files:
        try:
            if kept.place.startswith("s3://"):
                storage.get_bytes(bucket, prefix + file["name"], sha256=file["sha256"])
            elif hashlib.sha256((Path(kept.place) / file["name"]).read_bytes()).hexdigest() != file["sha256"]:
                changed.append(file["name"])
        except (LeitstandError, OSError):
            changed.append(file["name"])
    return changed


def _writer(settings: Settings, name: str) -> tuple[Callable[[str, bytes], object], str]:
    """Into the evidence bucket; where that does not answer, into the evidence folder of this machine."""
    storage, bucket, prefix = ObjectStorage(settings), settings.bucket_evidence, f"{PREFIX}{name}/"
    try:
        storage.put_bytes(bucket, f"{prefix}begun", datetime.now(UTC).isoformat().encode())
    except LeitstandError:
        folder = evidence_folder(settings) / f"compromise-{name}"
        folder.mkdir(mode=0o700, exist_ok=True)

        def locally(title: str, content: bytes) -> None:
            path = folder / title
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_bytes(content)

        return locally, f"{folder}/"
    return lambda title, content: storage.put_bytes(
        bucket, prefix + title, content
    ), f"s3://{bucket}/{prefix}"


def _documents(engine: Engine, settings: Settings, more: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    logs = {
        f"logs/{path.name}.gz": _logged(path)
        for path in sorted((settings.data_dir / "logs").glob("*"))
        if path.is_file()
    }
    return {
        "audit.json.gz": lambda: _rows(engine, AuditEntry),
        "people.json.gz": lambda: _rows(engine, Person),
        "memberships.json.gz": lambda: _rows(engine, Membership),
        "sessions.json.gz": lambda: _rows(engine, UserSession),
        "tokens.json.gz": lambda: _rows(engine, ApiToken),
        "processes.json": processes,
        "connections.json": connections,
        "versions.json": versions,
        **{title: _given(document) for title, document in more.items()},
        **logs,
    }


def _given(document: Any) -> Callable[[], Any]:
    return lambda: document


def _logged(path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - LOG_BYTES))
            return gzip.compress(stream.read(), mtime=0)

    return read


def _rows(engine: Engine, model: type[Any]) -> bytes:
    """A whole table, one JSON object a line, without hashes of passwords and tokens."""
    with transaction(engine) as session:
        return gzip.compress(b"".join(_lines(session, model)), mtime=0)


def _lines(session: Session, model: type[Any]) -> Iterator[bytes]:
    names = [column.name for column in model.__table__.columns if column.name not in HIDDEN]
    query = select(*(model.__table__.columns[name] for name in names)).execution_options(yield_per=5_000)
    for row in session.execute(query):
        yield json.dumps(dict(zip(names, row, strict=True)), default=str).encode() + b"\n"


def processes() -> list[dict[str, Any]]:
    """Every process of this machine, as far as the system tells."""
    import psutil

    wanted = ["pid", "ppid", "username", "create_time", "exe", "cwd", "cmdline"]
    return [process.info for process in psutil.process_iter(wanted, ad_value="")]


def connections() -> list[dict[str, Any]]:
    """Every TCP and UDP socket of this machine, with its process as far as the system tells."""
    import psutil

    return [
        {
            "pid": one.pid,
            "status": one.status,
            "local": ":".join(map(str, one.laddr)),
            "remote": ":".join(map(str, one.raddr)),
        }
        for one in psutil.net_connections("inet")
    ]


def versions() -> dict[str, Any]:
    """What is installed."""
    packages = sorted(f"{one.metadata['Name']}=={one.version}" for one in metadata.distributions())
    return {
        "leitstand": __version__,
        "python": sys.version,
        "machine": platform.platform(),
        "host": platform.node(),
        "packages": packages,
    }
