"""The steps of the PostgreSQL restore drill; the notebook dr010 calls them one by one and shows what they find."""

import atexit
import random
from typing import TYPE_CHECKING, Any

from leitstand.backups import keys, wal
from leitstand.backups.archived_log import segments_since
from leitstand.backups.catalogue import newest_complete
from leitstand.backups.inventory import Entry, open_copy, read_inventory
from leitstand.backups.places import Copies, copies_for
from leitstand.db.engine import transaction
from leitstand.db.models import Backup
from leitstand.errors import IntegrityFailed, NotFound
from leitstand.runbooks.evidence import facts, rows
from leitstand.runbooks.postgres_drill import PostgresDrill, source_of
from leitstand.runbooks.source_point import Point, bytes_behind, lost, rpo_seconds
from leitstand.runbooks.taking_up import SANDBOX, TakenUp, chosen_backup, take_up
from leitstand.words import N_, msg

if TYPE_CHECKING:
    import pandas as pd


class RestoreDrill(PostgresDrill):
    """The drill of the newest backup, recovered to the end of the archived log."""

    PLAN = (
        "download, check and decrypt every part",
        "unpack, and compare every file with PostgreSQL's manifest (pg_verifybackup)",
        "recover to the end of the archived log, without an archive of its own and without a TCP port",
        "check structure (pg_amcheck, collations, migrations), known rows and counts",
        "run the data checks",
        "compare sampled copies of objects with their SHA-256",
        "measure RPO and RTO",
        "stop and remove the restored server",
    )

    def __init__(self, work: TakenUp, backup: Backup, source: Point, sample: int) -> None:
        super().__init__(work, backup, source)
        self.sample = sample

    @classmethod
    def begin(cls, *, run_id: str = SANDBOX, backup_id: str = "", sample_objects: int = 20) -> "RestoreDrill":
        """Take up the drill that was prepared under `run_id`, or, by itself, a sandbox that leaves no record.

        Raises:
            Conflict: another drill is running.
            InvalidInput: `run_id` is none.
            NotFound: there is no such backup.
        """
        work = take_up(run_id)
        backup = chosen_backup(work.engine, work.settings, backup_id)
        drill = cls(work, backup, source_of(work), sample_objects)
        atexit.register(drill.close)
        return drill

    def _check_recovered(self, lsn: str) -> None:
        """Recovery that stops early looks like success: it has to reach what was archived, and the backup's own end."""
        manifest, position = self.backup.manifest, wal.lsn_number(lsn)
        reached = position >= wal.lsn_number(manifest["stop_lsn"])
        self.evidence.check(
            "recovered to the end of the backup",
            reached,
            msg("{lsn} of at least {stop_lsn}", lsn=lsn, stop_lsn=manifest["stop_lsn"]),
        )
        timeline, size = int(manifest["timeline"]), int(manifest["segment_bytes"])
        names = [one.name for one in segments_since(self.storage, self.manifest)]
        before = [
            name for name in names if name <= wal.segment_of(wal.lsn_number(self.source.lsn), timeline, size)
        ]
        if not before:
            self.evidence.skip("recovered to the end of the archived log", "nothing is archived")
            return
        last = before[-1]
        self.evidence.check(
            "recovered to the end of the archived log",
            wal.segment_of(position, timeline, size) >= last,
            msg("last archived segment {last}", last=last),
        )

    def check_objects(self) -> "pd.DataFrame":
        """A sample of the copied objects: decrypted, and their SHA-256 compared with the inventory."""
        with transaction(self.engine) as session:
            backup = newest_complete(session, "objects")
        if backup is None or not backup.manifest.get("objects"):
            self.evidence.skip(
                "sampled objects",
                N_("there is no copy of objects yet") if backup is None else N_("there are no objects"),
            )
            return self.evidence.table(len(self.evidence.checks) - 1)
        copies = copies_for(self.settings, backup.manifest)
        entries = read_inventory(copies, self.settings, backup.manifest)
        chosen = random.sample(entries, min(self.sample, len(entries)))
        identities = keys.identities(self.settings)
        with self.evidence.step("objects"):
            wrong = [entry.key for entry in chosen if not _is_intact(copies, entry, identities)]
        self.evidence.check(
            "sampled objects",
            not wrong,
            msg(
                "{count} of {whole}, damaged or gone: {names}",
                count=len(chosen),
                whole=len(entries),
                names=", ".join(wrong) or msg("none"),
            ),
        )
        return rows(
            [{"object": entry.key, "bytes": entry.bytes, "sha256": entry.sha256} for entry in chosen],
            ["object", "bytes", "sha256"],
        )

    def measure(self) -> "pd.DataFrame":
        """RPO: work that would be lost. RTO: from the first byte downloaded to connections being accepted."""
        figures = self.evidence.figures
        missing = lost(self.source, self._found)
        figures["rpo_seconds"] = round(rpo_seconds(self.source, missing, self.recovered_at), 3)
        figures["transactions_behind"] = missing
        figures["log_bytes_behind"] = bytes_behind(self.source, figures["recovered_lsn"])
        self.evidence.save()
        return facts(
            {
                "RPO, seconds": figures["rpo_seconds"],
                "RTO, seconds": figures["rto_seconds"],
                "transactions not yet archived at the start": figures["transactions_behind"],
                "bytes of log not yet archived at the start": figures["log_bytes_behind"],
            }
        )


def _is_intact(copies: Copies, entry: Entry, identities: list[Any]) -> bool:
    try:
        return open_copy(copies, entry, identities=identities) == (entry.bytes, entry.sha256)
    except (IntegrityFailed, NotFound):
        return False
