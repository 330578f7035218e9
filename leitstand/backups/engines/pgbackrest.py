"""pgBackRest as an engine: its repository in the bucket of backups, encrypted with a key of its own."""

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from leitstand.backups.engines.interface import Archived, Chain, LogRemoval, Manifest
from leitstand.backups.fetch_wal import BROKEN
from leitstand.backups.pgbackrest import program, repository, restoring, taking
from leitstand.backups.removing_log import remove_log
from leitstand.backups.retention import LogNeed
from leitstand.backups.server_commands import give_folder_away
from leitstand.backups.work import Job, Outcome, Progress
from leitstand.errors import PreconditionFailed
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage

# A server calls its commands in its data folder; the first eight bytes of the control file are its identifier.
SYSTEM_ID = "$(od -An -tu8 -N8 global/pg_control | tr -d ' ')"
NOT_ARCHIVED = 1


class PgBackRest:
    """The engine `pgbackrest`; its parts do the work and are described there."""

    recorded = program.NAME

    def take(self, job: Job) -> Outcome:
        return taking.take(job)

    def unpack(self, settings: Settings, chain: Chain, target: Path, say: Progress) -> None:
        restoring.unpack(settings, chain, target, say)

    def check(self, settings: Settings, chain: Chain, scratch: Path, say: Progress) -> dict[str, object]:
        """Restores it: `pgbackrest verify` would read the whole repository, and proves less."""
        restoring.unpack(settings, chain, scratch, say)
        return {
            "objects": sum(len(one["parts"]) for one in chain),
            "content bytes": chain[-1]["content"]["bytes"],
            "pgbackrest restore": "every file has the checksum that it had",
        }

    def needed_bytes(self, chain: Chain) -> int:
        return int(chain[-1]["content"]["bytes"])

    def not_stored(self, settings: Settings, manifest: Manifest) -> list[str]:
        return restoring.not_stored(settings, manifest)

    def opens(self, settings: Settings, manifest: Manifest) -> bool:
        return repository.has_key(settings, manifest)

    def remove(self, settings: Settings, manifest: Manifest) -> int:
        """By pgBackRest; where its key or the program is gone, without it, as retention must go on."""
        label, where = str(manifest["label"]), repository.place_of(settings, manifest)
        freed = sum(where.objects(label).values())
        with ExitStack() as stack:
            try:
                where = repository.of(settings, manifest)
                configuration = stack.enter_context(restoring.private_configuration(where))
            except PreconditionFailed:
                taking.delete(where, label)
            else:
                taking.expire(where, configuration, label)
        return freed

    def tidy(self, job: Job) -> None:
        taking.tidy(job)

    def archive_command(self, settings: Settings) -> str:
        folder = taking.archiving_folder(settings)
        where = repository.current(settings, "")
        configuration = repository.write_configuration(where, folder, program.version())
        give_folder_away(folder)
        own = f"--repo1-path=/postgres/{SYSTEM_ID}/pgbackrest/{where.key_id}"
        return f'{_command("archive-push", configuration)} "{own}" "%p"'

    def restore_command(self, settings: Settings, folder: Path, manifest: Manifest) -> str:
        where = repository.of(settings, manifest)
        configuration = repository.write_configuration(where, folder, program.version())
        give_folder_away(folder)
        command = f'{_command("archive-get", configuration)} "%f" "%p"'
        # pgBackRest's errors have numbers that recovery would take for the end of the log.
        return f"{command}; case $? in 0) ;; {NOT_ARCHIVED}) exit 1 ;; *) exit {BROKEN} ;; esac"

    def archived(self, settings: Settings, system_id: str) -> Iterator[Archived]:
        found = [Archived(name, info.modified) for name, info in repository.log_files(settings, system_id)]
        yield from sorted(found, key=lambda one: one.name)

    def remove_log(
        self, settings: Settings, need: LogNeed, *, segment_bytes: int, check: Callable[[], None]
    ) -> LogRemoval:
        storage, system_id = ObjectStorage(settings), need.archive.rpartition(":")[2]
        return remove_log(
            storage,
            settings.bucket_backups,
            need,
            prefix=repository.log_prefix(system_id),
            name_of=repository.log_file,
            segment_bytes=segment_bytes,
            check=check,
        )


def _command(name: str, configuration: Path) -> str:
    """A shell command with an environment of its own, called in the data folder."""
    words = ["env", "-i", f"PATH={os.environ.get('PATH', os.defpath)}", *program.argv(name, configuration)]
    quoted = " ".join(shlex.quote(word) for word in words).replace("%", "%%")
    return f'{quoted} --pg1-path="$PWD"'
