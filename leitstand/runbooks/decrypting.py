"""The steps of the drill secrets-decrypt (notebook dr040): an empty folder, a key, and the secrets come back.

Values are in memory and in the drill's own folder only, for as long as the drill runs; names and counts are shown.
"""

import atexit
import hashlib
import json
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leitstand.backups import keys, secret_copies, secret_files, secret_opening, secret_restore
from leitstand.backups.catalogue import COMPLETE, get_backup
from leitstand.backups.secret_backups import current_fingerprints
from leitstand.backups.secret_fingerprints import fingerprints
from leitstand.db.engine import transaction
from leitstand.db.models import Backup
from leitstand.errors import Conflict, InvalidInput, LeitstandError, NotFound
from leitstand.runbooks import scratch
from leitstand.runbooks.ending import Rehearsal
from leitstand.runbooks.evidence import Evidence, facts, rows
from leitstand.runbooks.taking_up import EVIDENCE, SANDBOX, TakenUp, ensure_backup, take_up
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.words import N_, msg

if TYPE_CHECKING:
    import pandas as pd

PLAN = (
    "download the sealed archive from the bucket and read its second copy",
    "decrypt both with one key and nothing else of this machine",
    "write every secret into an empty folder and read it back",
    "compare names and fingerprints with the inventory of the backup",
    "load the settings from that folder alone and open the object store with them",
    "remove the folder",
)
OWNER_ONLY = 0o600


class DecryptDrill(Rehearsal):
    """One drill. Its steps are called in order; each gives a table of what it found, never a value."""

    def __init__(self, work: TakenUp, backup: Backup) -> None:
        self.work, self.settings, self.backup = work, work.settings, backup
        self.target = work.folder / "clean"
        self.elsewhere = work.settings.model_copy(update={"data_dir": self.target})
        self.evidence = Evidence(work.folder / EVIDENCE)
        self.key_file, self.offline = key_of(work.settings)
        self._opened: secret_opening.Opened | None = None
        self._copy: secret_opening.Opened | None = None

    @classmethod
    def begin(cls, *, run_id: str = SANDBOX, backup_id: str = "") -> "DecryptDrill":
        """Take up the drill that was prepared under `run_id`, or, by itself, a sandbox that leaves no record.

        Raises:
            Conflict: another drill is running.
            InvalidInput: `run_id` is none, or the backup is none of the secrets.
        """
        work = take_up(run_id)
        drill = cls(work, _chosen(work, backup_id))
        atexit.register(drill.close)
        return drill

    def identity(self) -> "pd.DataFrame":
        """What is opened, with which key, and where it is written; refuses the folder that is in use."""
        inside = scratch.scratch_root(self.settings).resolve() in self.target.resolve().parents
        self.evidence.check(
            "the target is not in use", inside, msg("scratch folder {name}", name=self.work.folder.name)
        )
        return facts(
            {
                "environment": self.settings.environment,
                "backup": f"{self.backup.id}, finished {self.backup.finished_at:%Y-%m-%d %H:%M:%S %Z}",
                "key": self._key_words(),
                "target": f"an empty folder in {self.work.folder.name}",
            }
        )

    def _key_words(self) -> str:
        if self.offline and self.settings.offline_key_file:
            return "the offline recovery key, from the file that offline_key_file names"
        if self.offline:
            return "the offline recovery key, which STILL LIES ON THIS MACHINE: move it away"
        return "this machine's operational key"

    def preconditions(self) -> "pd.DataFrame":
        """Both places hold the backup, the key is one of its recipients, and not every key lies here."""
        first, manifest = len(self.evidence.checks), self.backup.manifest
        missing = [part["key"] for part in manifest["parts"] if not self._is_stored(part)]
        self.evidence.check(
            "the bucket holds it", not missing, msg("{count} parts missing", count=len(missing))
        )
        copy = secret_copies.copy_of(self.settings, str(self.backup.id))
        self.evidence.check(
            "the second place holds it", copy is not None, copy.parent if copy else N_("no copy")
        )
        own = secret_opening.identities(self.settings, self.key_file)
        recipients = tuple(manifest["recipients"])
        self.evidence.check(
            "the key is a recipient",
            keys.is_recipient(own, recipients),
            msg("{count} recipients", count=len(recipients)),
        )
        away = keys.offline_recipients(self.settings, recipients)
        self.evidence.check(
            "one recipient is offline",
            bool(away),
            msg("{count} of {whole}", count=len(away), whole=len(recipients)),
        )
        if not self.offline:
            self.evidence.skip(
                "the offline key opens it", "set LEITSTAND_OFFLINE_KEY_FILE while it is plugged in"
            )
        return self.evidence.table(first)

    def _is_stored(self, part: dict[str, Any]) -> bool:
        try:
            head = ObjectStorage(self.settings).head(self.settings.bucket_backups, str(part["key"]))
        except NotFound:
            return False
        return head.bytes == int(part["bytes"])

    def plan(self) -> "pd.DataFrame":
        """What will be done, and the hash of that."""
        plan = {"backup": str(self.backup.id), "backup_sha256": self.backup.sha256, "steps": PLAN}
        self.evidence.figures["plan_sha256"] = hashlib.sha256(json.dumps(plan).encode()).hexdigest()
        return rows([{"step": number, "what": step} for number, step in enumerate(PLAN, 1)], ["step", "what"])

    def decrypt(self) -> "pd.DataFrame":
        """Open both places with the one key, and write the secrets into the empty folder."""
        self.target.mkdir(mode=0o700)
        own, began = secret_opening.identities(self.settings, self.key_file), time.monotonic()
        with self.evidence.step("decrypt"):
            self._opened = secret_opening.open_stored(self.settings, self.backup.manifest, own)
            agreed = secret_restore.plan(self.elsewhere, self._opened)
            secret_restore.restore(self.elsewhere, self._opened, agreed)
        self.evidence.figures["seconds_to_open"] = round(time.monotonic() - began, 3)
        path = secret_copies.copy_of(self.settings, str(self.backup.id))
        self._copy = secret_opening.open_copy(path, own) if path else None
        if self.offline:
            self.evidence.check("the offline key opens it", True, "decrypted with it alone")
        return facts({"secrets": len(agreed.written), "seconds": self.evidence.steps["decrypt"]})

    def check_content(self) -> "pd.DataFrame":
        """Names, fingerprints and file modes of what was written, and the second copy, against the inventory."""
        first, manifest, opened = len(self.evidence.checks), self.backup.manifest, self._have()
        paths = {name: self.target / name for name in manifest["inventory"]}
        lost = sorted(name for name, path in paths.items() if not path.is_file())
        self.evidence.check(
            "every secret of the inventory is there",
            not lost,
            msg("{count} names, missing: {lost}", count=len(paths), lost=_words(lost)),
        )
        written = {name: path.read_bytes() for name, path in paths.items() if path.is_file()}
        found = fingerprints(opened.files["keys/fingerprint.key"], written)
        wrong = sorted(name for name, mark in manifest["fingerprints"].items() if found.get(name) != mark)
        self.evidence.check(
            "every value is the one that was backed up", not wrong, msg("other: {wrong}", wrong=_words(wrong))
        )
        open_to_all = sorted(name for name in written if paths[name].stat().st_mode & 0o777 != OWNER_ONLY)
        self.evidence.check(
            "files are their owner's alone",
            not open_to_all,
            msg("other: {open_to_all}", open_to_all=_words(open_to_all)),
        )
        same = self._copy is not None and self._copy.files == opened.files
        self.evidence.check("both places hold the same", same, "compared after decryption")
        return self.evidence.table(first)

    def check_use(self) -> "pd.DataFrame":
        """Settings from the restored folder alone open the store; what has changed here since is named."""
        first, here = len(self.evidence.checks), current_fingerprints(self.settings)
        there = self.backup.manifest["fingerprints"]
        changed = sorted(name for name in {*here, *there} if here.get(name) != there.get(name))
        self.evidence.figures["changed_since"] = changed
        credential = {f"{secret_files.PREFIX}s3_access_key", f"{secret_files.PREFIX}s3_secret_key"}
        if credential & set(changed):
            self.evidence.skip("the restored credential opens the store", "it was rotated since this backup")
        else:
            self.evidence.check("the restored credential opens the store", *self._opens_store())
        detail = f"changed here since: {_words(changed)}"
        self.evidence.check(
            "the daily backup is not late", not changed or self._age_seconds() < 2 * 86_400, detail
        )
        return self.evidence.table(first)

    def _opens_store(self) -> tuple[bool, str]:
        names = secret_files.held_in_files(self.elsewhere)
        restored = secret_files.reread(self.elsewhere, ["s3_access_key", "s3_secret_key"])
        try:
            next(iter(ObjectStorage(restored).list(restored.bucket_backups)), None)
        except LeitstandError as error:
            return False, error.message
        return True, f"{len(names)} settings read from the restored files"

    def _age_seconds(self) -> float:
        return (datetime.now(UTC) - self._have().made_at).total_seconds()

    def measure(self) -> "pd.DataFrame":
        """How old the backup is, and how long it took to have the secrets back."""
        figures = self.evidence.figures
        figures["age_seconds"] = round(self._age_seconds(), 3)
        self.evidence.save()
        return facts(
            {
                "age of the backup, seconds": figures["age_seconds"],
                "secrets changed since": len(figures["changed_since"]),
                "seconds until the secrets were back": figures["seconds_to_open"],
            }
        )

    def clean_up(self) -> "pd.DataFrame":
        """Remove what was decrypted."""
        self.close()
        self.evidence.check("clean-up", not self.target.exists(), "nothing decrypted is left")
        return self.evidence.table(len(self.evidence.checks) - 1)

    def close(self) -> None:
        """Forget the values; also when the kernel ends in the middle (a killed one's folder goes with the next drill)."""
        self._opened, self._copy = None, None
        shutil.rmtree(self.target, ignore_errors=True)

    def _have(self) -> secret_opening.Opened:
        if self._opened is None:
            raise Conflict("Nothing is decrypted yet.", hint="Run the steps in order.")
        return self._opened


def key_of(settings: Settings) -> tuple[Path | str, bool]:
    """The key to open with, and whether it is the offline one: that of the setting, else one that still lies here."""
    if settings.offline_key_file:
        return Path(settings.offline_key_file), True
    waiting = keys.keys_dir(settings) / keys.OFFLINE
    return (waiting, True) if waiting.exists() else ("", False)


def _chosen(work: TakenUp, backup_id: str) -> Backup:
    if not backup_id:
        return ensure_backup(work.engine, work.settings, kind="secrets")
    with transaction(work.engine) as session:
        backup = get_backup(session, backup_id)
    if backup.kind != "secrets" or backup.status != COMPLETE:
        raise InvalidInput(
            msg("Backup {id} is no complete backup of the secrets.", id=backup.id),
            hint="`leitstand backup list --kind secrets` shows them.",
        )
    return backup


def _words(names: list[str]) -> str:
    return ", ".join(names) or "none"
