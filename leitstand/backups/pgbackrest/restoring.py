"""Brings a backup of pgBackRest back into a folder, and says whose fault it is when that can't be done."""

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from leitstand.backups.engines.interface import Chain, Manifest
from leitstand.backups.pgbackrest import program
from leitstand.backups.pgbackrest.repository import STANZA, Repository, of, write_configuration
from leitstand.backups.work import Progress, Reporter
from leitstand.errors import IntegrityFailed, LeitstandError
from leitstand.settings import Settings
from leitstand.words import N_, Message, msg

HINT = N_("Use another backup: `leitstand backup list` shows them.")
IN_BACKUP = re.compile(rf"/backup/{STANZA}/([^/'\s]+)/")
IN_TARGET = re.compile(r"error restoring '([^']+)'")


def unpack(settings: Settings, chain: Chain, target: Path, say: Progress) -> None:
    """Restore the chain's last backup; pgBackRest compares every file with the checksum it had.

    Recovery is left to be configured.

    Raises:
        IntegrityFailed: something is not what was stored, or gone; the message names the backup.
        PreconditionFailed: the key is not here, or pgBackRest is missing.
    """
    last = chain[-1]
    repository = of(settings, last)
    for manifest in chain:
        if lacking := not_stored(settings, manifest):
            raise IntegrityFailed(
                msg(
                    "Backup {id} lacks {lacking}, or it has another size.",
                    id=manifest["id"],
                    lacking=lacking[0],
                ),
                hint=HINT,
            )
    with private_configuration(repository) as configuration:
        options = (f"--set={last['label']}", "--type=none", f"--pg1-path={target}")
        try:
            program.run("restore", configuration, *options, moved=Reporter(say).report)
        except program.Failed as failed:
            error = failed.as_error()
            if not isinstance(error, IntegrityFailed):
                raise error from failed
            whose = _whose(configuration, chain, target, failed.said)
            raise IntegrityFailed(
                msg("{whose} is damaged: {message}", whose=whose, message=error.message), hint=HINT
            ) from failed


@contextmanager
def private_configuration(repository: Repository) -> Iterator[Path]:
    """The configuration in a folder of its own that is gone afterwards: other repositories are read meanwhile."""
    own = repository.settings.data_dir / "tmp"
    own.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pgbackrest-", dir=own) as folder:
        yield write_configuration(repository, Path(folder), program.version())


def not_stored(settings: Settings, manifest: Manifest) -> list[str]:
    """What of one backup the store lacks or has in another size."""
    stored = of(settings, manifest).objects(str(manifest["label"]))
    return [str(one["key"]) for one in manifest["parts"] if stored.get(one["key"]) != one["bytes"]]


def _whose(configuration: Path, chain: Chain, target: Path, said: str) -> Message:
    """The backup that holds what is damaged: the file's own manifest knows in which one its content lies."""
    label = ""
    if found := IN_BACKUP.search(said):
        label = found[1]
    elif found := IN_TARGET.search(said):
        label = _holder(configuration, str(chain[-1]["label"]), Path(found[1]).relative_to(target).as_posix())
    for manifest in chain:
        if manifest["label"] == label:
            return msg("Backup {id}", id=manifest["id"])
    return msg("One of the backups {names}", names=", ".join(str(one["id"]) for one in chain))


def _holder(configuration: Path, label: str, file: str) -> str:
    """Label of the backup in which the content of a restored file lies."""
    with suppress(LeitstandError, program.Failed):
        manifest = program.run("repo-get", configuration, f"backup/{STANZA}/{label}/backup.manifest")
        prefix = f"pg_data/{file}="
        for line in manifest.splitlines():
            if line.startswith(prefix):
                return str(json.loads(line.removeprefix(prefix)).get("reference", label))
    return ""
