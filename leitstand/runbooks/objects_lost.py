"""The steps of runbook rb020: objects that were deleted or overwritten, brought back as they were at an instant."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from leitstand.backups import keys
from leitstand.backups.object_history import inventory_at, listed_until
from leitstand.backups.object_restore import Plan, Selection, execute_restore, plan_restore
from leitstand.backups.places import copied_place, copies_for
from leitstand.errors import InvalidInput, NotFound
from leitstand.runbooks.confirming import NOT_DONE, Confirmed
from leitstand.runbooks.evidence import Evidence, facts, rows
from leitstand.runbooks.point_in_time import instant_of
from leitstand.runbooks.taking_up import EVIDENCE, SANDBOX, TakenUp, ensure_backup, take_up
from leitstand.storage.objects import ObjectStorage
from leitstand.words import msg

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 40
LOOKED_BACK = timedelta(days=7)


class ObjectsRestore(Confirmed):
    """One restore. A dry run writes nothing; a real one needs the dry run's hash and the target's name typed."""

    NAME = "objects-lost"

    def __init__(
        self,
        work: TakenUp,
        role: str,
        selection: Selection | None,
        to_time: datetime | None,
        target: str,
        *,
        dry_run: bool,
        given: dict[str, Any],
    ) -> None:
        super().__init__(work, Evidence(work.folder / EVIDENCE), dry_run=dry_run, given=given)
        self.settings, self.role = work.settings, role
        self.place = copied_place(role)
        self.selection, self.to_time = selection, to_time
        self.bucket = self.place.bucket(work.settings)
        self.target = target or self.bucket
        self.storage = ObjectStorage(work.settings)
        self.began = datetime.now(UTC)
        self.only_missing = False
        self._plan: Plan | None = None

    @classmethod
    def begin(
        cls,
        *,
        run_id: str = SANDBOX,
        bucket: str = "media",
        key: str = "",
        prefix: str = "",
        everything: bool = False,
        to_time: str = "",
        target: str = "",
        only_missing: bool = False,
        dry_run: bool = True,
    ) -> "ObjectsRestore":
        """Take up the work; without a key, a prefix or `everything` it is a trial that only looks at all objects.

        Args:
            bucket: media or evidence.
            to_time: instant with its offset, to the second; empty: now, which only a dry run may have.
            target: a bucket's name or a folder's path; empty: the bucket itself.

        Raises:
            InvalidInput: a selection that says two things, no instant, or a real run that lacks either.
        """
        instant, trial = instant_of(to_time), not (key or prefix or everything)
        if not dry_run and (trial or instant is None):
            raise InvalidInput(
                "A run that is no dry run needs an instant and a key, a prefix or everything.",
                hint="Take those of the dry run.",
            )
        selection = None if trial else Selection(frozenset({key} - {""}), prefix, everything)
        given: dict[str, Any] = {"bucket": bucket, "key": key, "prefix": prefix, "everything": everything}
        given |= {"to_time": to_time, "target": target, "only_missing": only_missing}
        restore = cls(take_up(run_id), bucket, selection, instant, target, dry_run=dry_run, given=given)
        restore.only_missing = only_missing
        if trial:
            ensure_backup(restore.work.engine, restore.settings, "objects")
        return restore

    # --- the steps ---

    def identity(self) -> "pd.DataFrame":
        """Where this runs, and on what."""
        return facts(
            {
                "environment": self.settings.environment,
                "store": self.settings.s3_url,
                "bucket": f"{self.bucket} ({self.place.why})",
                "target": f"{self.target}{' (the bucket itself)' if self.target == self.bucket else ''}",
                "instant": self.to_time.isoformat() if self.to_time else "now: give to_time",
                "mode": "dry run: nothing is written" if self.dry_run else "REAL RUN",
            }
        )

    def situation(self) -> "pd.DataFrame":
        """What happened to the bucket in the last days, minute by minute: the instant to restore to is before it."""
        since, changes = self.began - LOOKED_BACK, defaultdict[tuple[str, str], list[datetime]](list)
        try:
            for info in self.storage.list_history(self.bucket):
                if info.modified >= since:
                    what = (
                        "deleted" if info.deleted else "written" if info.latest else "written, replaced since"
                    )
                    changes[f"{info.modified:%Y-%m-%d %H:%M} UTC", what].append(info.modified)
        except NotFound:
            return facts({self.bucket: "the bucket is gone; its copies are not"})
        newest = sorted(changes.items(), reverse=True)[:SHOWN]
        shown = [
            {"minute": minute, "first at": f"{min(times):%H:%M:%S}", "what": what, "objects": len(times)}
            for (minute, what), times in newest
        ]
        return rows(shown, ["minute", "first at", "what", "objects"])

    def preconditions(self) -> "pd.DataFrame":
        """An inventory that covers the instant, and a key that opens it."""
        first, at = len(self.evidence.checks), self._instant()
        manifest = inventory_at(self.settings, at)
        age = (at - listed_until(manifest)).total_seconds()
        self.evidence.check(
            "an inventory covers the instant",
            True,
            msg("backup {id}, {age:.0f} min before it", id=manifest["id"], age=age / 60),
        )
        opens = keys.is_recipient(keys.identities(self.settings), manifest["recipients"])
        self.evidence.check(
            "a key of this machine opens it",
            opens,
            msg("{count} recipients", count=len(manifest["recipients"])),
        )
        copies = copies_for(self.settings, manifest)
        where = "a second store" if copies.elsewhere else "the same store"
        self.evidence.check("the copies answer", any(True for _ in copies.storage.list(copies.bucket)), where)
        return self.evidence.table(first)

    def plan(self) -> "pd.DataFrame":
        """What would be written, replaced and lacks, and the hash of that."""
        try:
            self._plan = self._made()
        except NotFound:
            if self.selection is not None:
                raise
            self.evidence.skip("plan", "this was a trial, and there are no objects")
            return self.last_check()
        said = self._plan.to_dict()
        self.keep_plan(self.target, self._plan.sha256, said)
        names = ("objects", "write", "replace", "same", "left", "missing", "newer", "bytes", "plan_sha256")
        return facts({name: said[name] for name in names})

    def objects(self) -> "pd.DataFrame":
        """The first objects of the plan that are not there as they were."""
        items = self._plan.of("missing", "replace", "write", "left") if self._plan else []
        shown = [
            {"what": item.action, "object": item.wanted.key, "bytes": item.wanted.bytes} for item in items
        ]
        return rows(shown[:SHOWN], ["what", "object", "bytes"])

    def lacking(self) -> str:
        """Besides a plan, a selection: a trial has none."""
        return super().lacking() or ("" if self.selection else "give a key, a prefix or everything")

    def restore(self) -> "pd.DataFrame":
        """Write what the plan says. Repeating it goes on where it stopped."""
        if not self.for_real or self._plan is None:
            return facts(NOT_DONE)
        with self.evidence.step("restore"):
            done = execute_restore(self.settings, self._plan, folder=self.work.folder)
        self.evidence.figures |= {"written": done.written, "verified": done.verified, "bytes": done.bytes}
        self.evidence.figures["rto_seconds"] = self.evidence.steps["restore"]
        wrong = "; ".join(f"{key}: {why}" for key, why in list(done.failed.items())[:SHOWN])
        self.evidence.check(
            "every object restored", not done.failed, wrong or msg("{written} written", written=done.written)
        )
        return facts({"written": done.written, "read back and right": done.verified, "seconds": done.seconds})

    def check(self) -> "pd.DataFrame":
        """The plan once more: nothing may be left to do."""
        if not self.for_real or self._plan is None:
            return facts(NOT_DONE)
        left = self._made().of("write", "replace", "missing")
        self.evidence.check(
            "every object is as it was",
            not left,
            msg("{count} are not; run this again to go on", count=len(left)),
        )
        return self.last_check()

    def next_steps(self) -> "pd.DataFrame":
        """What is left to a person, and the way back."""
        undo = f"leitstand restore objects {self._selected()} --bucket {self.role} --to-time {self.began.isoformat(timespec='seconds')} --target {self.target}"
        steps = {
            "1": "open some of the objects in the product, as whoever reported the loss",
            "2": "find what deleted or overwrote them, and stop it, before anything else does it again",
            "3": "take a copy at once: leitstand backup run objects",
        }
        if not self.dry_run:
            steps["to undo what this run replaced"] = undo
        return facts(steps)

    # --- inside ---

    def _instant(self) -> datetime:
        return self.to_time or datetime.now(UTC)

    def _made(self) -> Plan:
        return plan_restore(
            self.settings,
            selection=self.selection or Selection(everything=True),
            to_time=self._instant(),
            target=self.target,
            role=self.role,
            only_missing=self.only_missing,
        )

    def _selected(self) -> str:
        if self.selection is None or self.selection.everything:
            return "--all"
        return (
            f"--prefix {self.selection.prefix}" if self.selection.prefix else next(iter(self.selection.keys))
        )
