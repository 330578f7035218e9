"""PostgreSQL's own programs as an engine: pg_basebackup into encrypted parts, pg_combinebackup, and our own archiver."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from leitstand.backups import keys, postgres, server_commands, wal
from leitstand.backups.combining import unpack_chain
from leitstand.backups.engines.interface import Archived, Chain, LogRemoval, Manifest
from leitstand.backups.removing_log import remove_log
from leitstand.backups.retention import LogNeed
from leitstand.backups.work import Job, Outcome, Progress
from leitstand.errors import NotFound
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage


class OwnTools:
    """The engine `postgres-tools`; its parts do the work and are described there."""

    recorded = postgres.ENGINE

    def take(self, job: Job) -> Outcome:
        return postgres.take(job)

    def unpack(self, settings: Settings, chain: Chain, target: Path, say: Progress) -> None:
        unpack_chain(settings, chain, target, say)

    def check(self, settings: Settings, chain: Chain, scratch: Path, say: Progress) -> dict[str, object]:
        said = unpack_chain(settings, chain, scratch, say)
        return {
            "parts": sum(len(one["parts"]) for one in chain),
            "content bytes": sum(int(one["content"]["bytes"]) for one in chain),
            "pg_verifybackup": said,
        }

    def needed_bytes(self, chain: Chain) -> int:
        """Increments are unpacked beside what they build on, and every file of the full one may be written anew."""
        sizes = [int(one["content"]["bytes"]) for one in chain]
        return sum(sizes) + (sizes[0] if len(sizes) > 1 else 0)

    def not_stored(self, settings: Settings, manifest: Manifest) -> list[str]:
        storage = ObjectStorage(settings)
        stored = [*manifest["parts"], *filter(None, [manifest.get("file_list")])]
        return [str(one["key"]) for one in stored if not _is_stored(storage, settings.bucket_backups, one)]

    def opens(self, settings: Settings, manifest: Manifest) -> bool:
        return keys.is_recipient(keys.identities(settings), manifest["recipients"])

    def remove(self, settings: Settings, manifest: Manifest) -> int:
        """Nothing: all of it lies under its prefix."""
        return 0

    def tidy(self, job: Job) -> None:
        """Nothing: what a killed one stored lies under its prefix, and its slot went with its connection."""

    def archive_command(self, settings: Settings) -> str:
        return server_commands.archive_command(settings)

    def restore_command(self, settings: Settings, folder: Path, manifest: Manifest) -> str:
        return server_commands.restore_command(settings, folder)

    def archived(self, settings: Settings, system_id: str) -> Iterator[Archived]:
        for info in ObjectStorage(settings).list(settings.bucket_backups, wal.prefix(system_id)):
            yield Archived(PurePosixPath(info.key).name.removesuffix(wal.SUFFIX), info.modified)

    def remove_log(
        self, settings: Settings, need: LogNeed, *, segment_bytes: int, check: Callable[[], None]
    ) -> LogRemoval:
        storage = ObjectStorage(settings)
        return remove_log(
            storage,
            settings.bucket_backups,
            need,
            prefix=wal.prefix(need.archive),
            name_of=partial(wal.name_of, need.archive),
            segment_bytes=segment_bytes,
            check=check,
        )


def _is_stored(storage: ObjectStorage, bucket: str, part: dict[str, Any]) -> bool:
    try:
        return storage.head(bucket, str(part["key"])).bytes == int(part["bytes"])
    except NotFound:
        return False
