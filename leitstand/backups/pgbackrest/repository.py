"""Where pgBackRest keeps one cluster's backups and log, with which key, and the configuration file that says so.

Each cluster and each key has a repository of its own, `postgres/<system identifier>/pgbackrest/<key id>/`: neither a
cluster that was made anew nor another key ever meets what is there, and nothing has to be upgraded.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from leitstand.backups import keys, wal
from leitstand.backups.engines.interface import Manifest
from leitstand.errors import PreconditionFailed
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.storage.types import ObjectInfo
from leitstand.words import msg

STANZA = "leitstand"
FILE = "pgbackrest.conf"
SHORTEST_PASS = 32
KEY_ID_DIGITS = 16
NEVER = 9_999_999
IO_SECONDS = 30
RETRIES, RETRY_SECONDS = 2, 5
ARCHIVE_SECONDS = 600
DATABASE_SECONDS = 1800
# Bundles and annotations came with 2.41, increments of parts of files with 2.46, S3 without TLS with 2.58.
OLDEST, BLOCKS_FROM, HTTP_FROM = (2, 41), (2, 46), (2, 58)
Version = tuple[int, int]
STORED_LOG = re.compile(r"(?P<name>[0-9A-F]{24}(\.partial)?)-[0-9a-f]{40}(\.[a-z0-9]+)?")


@dataclass(frozen=True)
class Repository:
    """One repository.

    Args:
        path: prefix in the bucket of backups, without a slash at either end.
        cipher_pass: what it is encrypted with.
    """

    settings: Settings
    path: str
    cipher_pass: str

    @property
    def key_id(self) -> str:
        return PurePosixPath(self.path).name

    def backup_prefix(self, label: str) -> str:
        """Prefix of the objects of one backup."""
        return f"{self.path}/backup/{STANZA}/{label}/"

    def history_prefix(self, label: str) -> str:
        """Prefix of what pgBackRest remembers of a backup that it has removed; labels begin with their year."""
        return f"{self.path}/backup/{STANZA}/backup.history/{label[:4]}/{label}.manifest"

    def objects(self, label: str) -> dict[str, int]:
        """What the store has of one backup: key -> bytes."""
        storage = ObjectStorage(self.settings)
        listed = storage.list(self.settings.bucket_backups, self.backup_prefix(label))
        return {info.key: info.bytes for info in listed}


def current(settings: Settings, system_id: str) -> Repository:
    """The repository that a cluster's backups go to now."""
    secret = _current_pass(settings)
    return Repository(settings, f"{_cluster(system_id)}/{key_id(secret)}", secret)


def of(settings: Settings, manifest: Manifest) -> Repository:
    """The repository that has a backup.

    Raises:
        PreconditionFailed: its key is not here.
    """
    wanted = str(manifest["key_id"])
    for secret in _passes(settings):
        if key_id(secret) == wanted:
            return Repository(settings, f"{_cluster(str(manifest['system_identifier']))}/{wanted}", secret)
    raise PreconditionFailed(
        msg(
            "The key {wanted} of pgBackRest, with which backup {id} is encrypted, is not here.",
            wanted=wanted,
            id=manifest["id"],
        ),
        hint="Bring it back with `leitstand secrets restore`, or name it in LEITSTAND_PGBACKREST_CIPHER_PASS_PREVIOUS.",
    )


def place_of(settings: Settings, manifest: Manifest) -> Repository:
    """The repository that has a backup, without its key: to look at what the store has, and to delete it."""
    return Repository(settings, f"{_cluster(str(manifest['system_identifier']))}/{manifest['key_id']}", "")


def has_key(settings: Settings, manifest: Manifest) -> bool:
    """Whether the key of a backup is here."""
    return str(manifest["key_id"]) in {key_id(secret) for secret in _passes(settings)}


def key_id(secret: str) -> str:
    """A name for a key; slow to compute, so that it helps nobody to guess one."""
    digest = hashlib.scrypt(secret.encode(), salt=b"leitstand pgbackrest key", n=1 << 14, r=8, p=1)
    return digest.hex()[:KEY_ID_DIGITS]


def _passes(settings: Settings) -> list[str]:
    now = settings.pgbackrest_cipher_pass.get_secret_value().strip()
    return [*([now] if now else []), *settings.pgbackrest_cipher_pass_previous.get_secret_value().split()]


def _current_pass(settings: Settings) -> str:
    secret = settings.pgbackrest_cipher_pass.get_secret_value().strip()
    if len(secret) < SHORTEST_PASS or len(secret.split()) != 1:
        raise PreconditionFailed(
            "pgBackRest has no key to encrypt with: pgbackrest_cipher_pass is too short."
            if secret
            else "pgBackRest has no key to encrypt with: pgbackrest_cipher_pass is empty.",
            hint=msg(
                "`./run up` makes one; elsewhere put {shortest_pass} random letters or more into its file, and back the secrets up.",
                shortest_pass=SHORTEST_PASS,
            ),
        )
    return secret


def _cluster(system_id: str) -> str:
    return f"postgres/{system_id}/pgbackrest"


def configuration(repository: Repository, folder: Path, version: Version) -> str:
    """The content of pgBackRest's configuration file; it holds secrets.

    Nothing ever expires by itself: retention is ours. Nothing is resumed: what was killed is taken anew.

    Args:
        folder: for its locks and its queue.

    Raises:
        PreconditionFailed: this version can't reach the store, or is too old.
    """
    _refuse_old(version)
    settings = repository.settings
    values: dict[str, object] = {
        "repo1-type": "s3",
        "repo1-path": f"/{repository.path}",
        "repo1-s3-bucket": settings.bucket_backups,
        "repo1-s3-endpoint": _endpoint(settings.s3_url, version),
        "repo1-s3-region": settings.s3_region,
        "repo1-s3-key": settings.s3_access_key.get_secret_value(),
        "repo1-s3-key-secret": settings.s3_secret_key.get_secret_value(),
        "repo1-s3-uri-style": "path",
        "repo1-storage-ca-file": settings.s3_ca_file,
        "repo1-cipher-type": "aes-256-cbc",
        "repo1-cipher-pass": repository.cipher_pass,
        "repo1-bundle": "y",
        "repo1-block": "y" if version >= BLOCKS_FROM else "",
        "repo1-retention-full": NEVER,
        "expire-auto": "n",
        "resume": "n",
        "start-fast": "y",
        "compress-type": "zst",
        "compress-level": 3,
        "process-max": settings.pgbackrest_processes,
        "archive-timeout": ARCHIVE_SECONDS,
        "db-timeout": DATABASE_SECONDS,
        "protocol-timeout": DATABASE_SECONDS + 30,
        "io-timeout": IO_SECONDS,
        "job-retry": RETRIES,
        "job-retry-interval": RETRY_SECONDS,
        "lock-path": folder.resolve() / "lock",
        # A restore clears it, and the package's own is another user's.
        "spool-path": folder.resolve() / "spool",
        "log-level-file": "off",
    }
    lines = [f"{name}={value}" for name, value in values.items() if str(value)]
    if any("\n" in line for line in lines):
        raise PreconditionFailed("A setting that pgBackRest needs has more than one line.")
    return "\n".join(["# Written anew whenever it is needed.", "[global]", *lines, ""])


def _refuse_old(version: Version) -> None:
    if version < OLDEST:
        raise PreconditionFailed(
            msg("pgBackRest {version} is too old.", version=_written(version)),
            hint=msg("Install {oldest} or later.", oldest=_written(OLDEST)),
        )


def _written(version: Version) -> str:
    return ".".join(map(str, version))


def _endpoint(url: str, version: Version) -> str:
    """As pgBackRest takes it: host and port, with the scheme only where that is not TLS."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return parts.netloc
    if version < HTTP_FROM:
        raise PreconditionFailed(
            msg(
                "pgBackRest {version} reaches an object store over TLS only, and {url} is without.",
                version=_written(version),
                url=url,
            ),
            hint=msg(
                "Give the store a certificate (LEITSTAND_S3_CA_FILE names its authority), install pgBackRest {http_from} or later, or set LEITSTAND_BACKUP_ENGINE=postgres-tools.",
                http_from=_written(HTTP_FROM),
            ),
        )
    return f"{parts.scheme}://{parts.netloc}"


def write_configuration(repository: Repository, folder: Path, version: Version) -> Path:
    """Write the file into a private folder and give its path."""
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    path = folder / FILE
    keys.write_private(path, configuration(repository, folder, version))
    return path


def log_prefix(system_id: str) -> str:
    """Prefix under which the archived log of a cluster lies, whatever the key."""
    return f"{_cluster(system_id)}/"


def log_file(key: str) -> str:
    """The name that PostgreSQL knows an archived file by; empty where the object is none of the log's."""
    parts = PurePosixPath(key).parts
    if len(parts) < 6 or parts[4:6] != ("archive", STANZA):
        return ""
    stored = STORED_LOG.fullmatch(parts[-1])
    name = stored["name"] if stored else parts[-1]
    return name if wal.is_archived_name(name) else ""


def log_files(settings: Settings, system_id: str) -> Iterator[tuple[str, ObjectInfo]]:
    """The archived files of a cluster, by name, with what the store says of each."""
    for info in ObjectStorage(settings).list(settings.bucket_backups, log_prefix(system_id)):
        if name := log_file(info.key):
            yield name, info
