"""PostgreSQL's restore_command: `python -m leitstand.backups.fetch_wal %f %p`, called in the restored data folder.

Its exit code decides what recovery does, once `server_commands.restore_command` has translated it: MISSING, the
archive has no such file, becomes 1, which is how recovery finds its end. Anything else (store down, key missing,
content damaged, Python broken) becomes more than 125, and the server stops instead of taking that for the end and
losing what was committed. One call fetches some segments ahead into a folder of its own.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leitstand.backups import wal
from leitstand.words import msg

if TYPE_CHECKING:
    from leitstand.settings import Settings

AHEAD = 15
MISSING, BROKEN = 44, 200


def main(arguments: list[str]) -> int:
    """Fetch one file.

    Args:
        arguments: its name, and where to put it, relative to the data folder.
    """
    name, target = arguments[0], Path(arguments[1])
    if not wal.is_archived_name(name):
        return MISSING
    ahead = Path(os.environ["LEITSTAND_DATA_DIR"]) / "ahead"
    waiting = ahead / name
    try:
        if waiting.exists():
            waiting.replace(target)
            return 0
        return _fetch(name, target, ahead)
    except Exception as error:
        print(f"{name} can't be fetched: {error}", file=sys.stderr)  # noqa: T201 - to the server's log
        return BROKEN


def _fetch(name: str, target: Path, ahead: Path) -> int:
    from leitstand.errors import NotFound
    from leitstand.settings import load_settings

    source = Source(load_settings(), wal.system_identifier(Path.cwd()))
    try:
        content = source.read(name)
    except NotFound:
        return MISSING
    _write(target, content)
    if wal.SEGMENT.fullmatch(name):
        _fetch_ahead(source, name, len(content), ahead)
    return 0


def _fetch_ahead(source: "Source", name: str, segment_bytes: int, ahead: Path) -> None:
    """What follows, as far as it goes; whatever is wrong is found again by its own call."""
    from leitstand.errors import LeitstandError

    ahead.mkdir(exist_ok=True)
    for _ in range(AHEAD):
        name = wal.next_segment(name, segment_bytes)
        try:
            _write(ahead / name, source.read(name))
        except LeitstandError:
            return


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f"{path.name}.fetching")
    temporary.write_bytes(content)
    temporary.replace(path)


class Source:
    """The archive of one cluster.

    Args:
        own: private keys that open it; None: those of this machine.
    """

    def __init__(self, settings: "Settings", system_id: str, own: list[Any] | None = None) -> None:
        from leitstand.backups import keys
        from leitstand.storage.objects import ObjectStorage

        self.bucket = settings.bucket_backups
        self.identities = own or keys.identities(settings)
        self.storage = ObjectStorage(settings)
        self.system_id = system_id

    def read(self, name: str) -> bytes:
        """The content of one file, checked against the hash it had when it was archived.

        Raises:
            NotFound: the archive does not have it.
            IntegrityFailed: it is not what was archived.
        """
        import hashlib

        from leitstand.backups.sealing import unseal
        from leitstand.errors import IntegrityFailed

        with self.storage.open_stream(self.bucket, wal.key(self.system_id, name)) as stream:
            sealed, expected = stream.readall() or b"", stream.metadata.get("content-sha256", "")
        content = unseal(sealed, self.identities, most=wal.LARGEST_SEGMENT)
        if hashlib.sha256(content).hexdigest() != expected:
            raise IntegrityFailed(msg("{name} is not what was archived.", name=name))
        return content


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
