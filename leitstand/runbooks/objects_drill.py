"""The steps of the drill of objects; the notebook dr030 calls them one by one and shows what they find."""

import atexit
import hashlib
import json
import random
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from leitstand.backups import keys
from leitstand.backups.inventory import Entry, read_inventory
from leitstand.backups.object_history import listed_until
from leitstand.backups.object_restore import RestoredObjects, Selection, execute_restore, plan_restore
from leitstand.backups.places import COPIED, copies_for
from leitstand.db.models import Backup
from leitstand.errors import InvalidInput, PreconditionFailed
from leitstand.runbooks import scratch
from leitstand.runbooks.ending import Rehearsal
from leitstand.runbooks.evidence import Evidence, facts, rows
from leitstand.runbooks.taking_up import EVIDENCE, SANDBOX, TakenUp, chosen_backup, take_up
from leitstand.settings import Settings
from leitstand.storage.multipart import file_sha256
from leitstand.storage.objects import ObjectStorage
from leitstand.words import msg

if TYPE_CHECKING:
    import pandas as pd

STEPS = (
    "choose a sample by its seed, and the newest object of each bucket",
    "restore it from the copies alone into a scratch folder",
    "compare each file's SHA-256 with the inventory",
    "measure RPO and RTO",
    "remove what was restored",
)


class ObjectsDrill(Rehearsal):
    """One drill. Its steps are called in order; each gives a table of what it found."""

    def __init__(self, work: TakenUp, backup: Backup, sample: int, seed: int) -> None:
        self.work, self.settings, self.backup = work, work.settings, backup
        self.began = datetime.now(UTC)
        self.sample, self.seed = sample, seed or random.SystemRandom().randrange(1, 2**31)
        self.target = work.folder / "objects"
        self.evidence = Evidence(work.folder / EVIDENCE)
        self.copies = copies_for(self.settings, backup.manifest)
        self.entries: list[Entry] = []
        self.chosen: list[Entry] = []

    @classmethod
    def begin(
        cls, *, run_id: str = SANDBOX, backup_id: str = "", sample_objects: int = 50, seed: int = 0
    ) -> "ObjectsDrill":
        """Take up the drill that was prepared under `run_id`, or, by itself, a sandbox that leaves no record.

        Args:
            sample_objects: how many are restored, besides the newest.
            seed: of the choice; 0: another one each time, which the evidence names.

        Raises:
            Conflict: another drill is running.
            InvalidInput: `run_id` is none, or the backup is no copy of objects.
        """
        if sample_objects < 1:
            raise InvalidInput("A sample has one object at least.")
        work = take_up(run_id)
        backup = chosen_backup(work.engine, work.settings, backup_id, "objects")
        drill = cls(work, backup, sample_objects, seed)
        atexit.register(drill.close)
        return drill

    # --- the steps ---

    def identity(self) -> "pd.DataFrame":
        """What is restored from and where to; refuses every place but the drill's own folder."""
        root = scratch.scratch_root(self.settings).resolve()
        if root not in self.target.resolve().parents or self.target.exists():
            raise PreconditionFailed(
                msg(
                    "{target} is no new folder under {root}: a drill restores only there.",
                    target=self.target,
                    root=root,
                )
            )
        self.evidence.check("the target is a scratch folder", True, self.target.parent.name)
        return facts(
            {
                "environment": self.settings.environment,
                "backup": f"{self.backup.id}, listed {listed_until(self.backup.manifest):%Y-%m-%d %H:%M:%S %Z}",
                "copies": f"{'second store' if self.copies.elsewhere else 'own store'}, bucket {self.copies.bucket}",
                "target": f"folder {self.target.parent.name}",
            }
        )

    def preconditions(self) -> "pd.DataFrame":
        """A key that opens the inventory, and an inventory that is what the manifest says."""
        first, manifest = len(self.evidence.checks), self.backup.manifest
        opens = keys.is_recipient(keys.identities(self.settings), manifest["recipients"])
        self.evidence.check(
            "a key of this machine opens it",
            opens,
            msg("{count} recipients", count=len(manifest["recipients"])),
        )
        self.entries = read_inventory(self.copies, self.settings, manifest)
        counted = len(self.entries) == manifest["objects"]
        self.evidence.check(
            "the inventory is whole", counted, msg("{count} objects", count=len(self.entries))
        )
        return self.evidence.table(first)

    def plan(self) -> "pd.DataFrame":
        """The sample, and the hash of what will be done."""
        some = random.Random(self.seed).sample(self.entries, min(self.sample, len(self.entries)))  # noqa: S311
        newest = [
            max((entry for entry in self.entries if entry.role == place.role), key=_newest_first)
            for place in COPIED
            if any(entry.role == place.role for entry in self.entries)
        ]
        unique = {(entry.role, entry.key): entry for entry in [*some, *newest]}
        self.chosen = [entry for _, entry in sorted(unique.items())]
        names = [[entry.role, entry.key, entry.sha256] for entry in self.chosen]
        plan = {"backup_sha256": self.backup.sha256, "steps": STEPS, "objects": names}
        digest = hashlib.sha256(json.dumps(plan).encode()).hexdigest()
        self.evidence.figures |= {"plan_sha256": digest, "seed": self.seed, "sample": len(self.chosen)}
        return facts({"seed": self.seed, "objects": len(self.chosen), "plan": digest})

    def restore(self) -> "pd.DataFrame":
        """Restore the sample from the copies into the folder, as an operator would."""
        if not self.chosen:
            self.evidence.skip("restored objects", "there are no objects")
            return self.evidence.table(len(self.evidence.checks) - 1)
        with self.evidence.step("restore"):
            done = [self._restore_place(place.role) for place in COPIED]
        failed = {key: why for restored in done for key, why in restored.failed.items()}
        written = sum(restored.written for restored in done)
        self.evidence.check(
            "restored objects",
            written == len(self.chosen) and not failed,
            msg(
                "{written} of {count} {failed}", written=written, count=len(self.chosen), failed=failed or ""
            ),
        )
        self.evidence.figures["restored_bytes"] = sum(restored.bytes for restored in done)
        self.evidence.figures["rto_seconds"] = self.evidence.steps["restore"]
        return facts({"objects": written, "seconds": self.evidence.steps["restore"]})

    def _restore_place(self, role: str) -> RestoredObjects:
        names = frozenset(entry.key for entry in self.chosen if entry.role == role)
        if not names:
            return RestoredObjects(0, 0, 0, 0.0)
        plan = plan_restore(
            self.settings,
            selection=Selection(names),
            to_time=listed_until(self.backup.manifest),
            target=str(self.target / role),
            role=role,
            copies_only=True,
        )
        return execute_restore(self.settings, plan, folder=self.work.folder)

    def check(self) -> "pd.DataFrame":
        """Each restored file's SHA-256 against the inventory, by itself and apart from what the restore says."""
        from leitstand.backups.object_targets import FolderTarget

        found = []
        for entry in self.chosen:
            path = FolderTarget(self.target / entry.role).path(entry.key)
            digest = file_sha256(path) if path.is_file() else ""
            found.append(
                {
                    "bucket": entry.role,
                    "bytes": entry.bytes,
                    "sha256": digest,
                    "equal": digest == entry.sha256,
                }
            )
        if found:
            wrong = sum(not one["equal"] for one in found)
            self.evidence.check(
                "SHA-256 of the restored objects",
                not wrong,
                msg("{count} compared, {wrong} differ", count=len(found), wrong=wrong),
            )
        return rows(found, ["bucket", "bytes", "sha256", "equal"])

    def measure(self) -> "pd.DataFrame":
        """RPO: age of the oldest object that is not copied yet. RTO: the sample's seconds, and what all would take."""
        figures = self.evidence.figures
        waiting = not_copied(self.settings, self.entries, self.began)
        figures["objects_behind"] = len(waiting)
        figures["rpo_seconds"] = (
            round(max(0.0, (self.began - min(waiting)).total_seconds()), 3) if waiting else 0.0
        )
        figures.setdefault("rto_seconds", 0.0)
        total, done = self.backup.manifest["content_bytes"], figures.get("restored_bytes", 0)
        whole = round(figures["rto_seconds"] * total / done, 1) if done else None
        figures["rto_everything_seconds"] = whole
        self.evidence.save()
        return facts(
            {
                "RPO, seconds": figures["rpo_seconds"],
                "objects not yet copied at the start": len(waiting),
                "RTO of the sample, seconds": figures["rto_seconds"],
                "RTO of everything at that rate, seconds": "-" if whole is None else whole,
            }
        )

    def clean_up(self) -> "pd.DataFrame":
        """Remove what was restored."""
        self.close()
        self.evidence.check("clean-up", not self.target.exists(), "nothing is left")
        return self.evidence.table(len(self.evidence.checks) - 1)

    def close(self) -> None:
        """Remove what was restored; also when the kernel ends in the middle."""
        shutil.rmtree(self.target, ignore_errors=True)


def not_copied(settings: Settings, entries: list[Entry], at: datetime) -> list[datetime]:
    """When the objects that are current at `at` and that an inventory has not were written."""
    copied = {(entry.role, entry.key, entry.version) for entry in entries}
    storage = ObjectStorage(settings)
    return [
        info.modified
        for place in COPIED
        for info in storage.list_versions(place.bucket(settings))
        if info.latest and info.modified <= at and (place.role, info.key, info.version) not in copied
    ]


def _newest_first(entry: Entry) -> tuple[str, str]:
    return entry.modified, entry.key
