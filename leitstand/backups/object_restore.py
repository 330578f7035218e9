"""Restore of one object, a prefix or a whole bucket as of an instant: first a plan, then its execution.

The plan writes nothing. The execution may be repeated: what is there already stays, so one that was killed goes on
where it stopped, and what it replaces stays as an older version. Nothing is deleted: objects that came later stay.
Every object is compared with its SHA-256 before it is written, and read back afterwards.
"""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leitstand.backups import keys
from leitstand.backups.inventory import DATA, Entry, data_key, write_copy
from leitstand.backups.object_history import State, Wanted, state_at
from leitstand.backups.object_targets import BucketTarget, FolderTarget, Target, target_of
from leitstand.backups.places import Copies, copied_place
from leitstand.backups.restore import check_free
from leitstand.backups.work import Progress, Reporter
from leitstand.errors import Conflict, IntegrityFailed, InvalidInput, NotFound
from leitstand.machine_lock import alone
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.words import msg

WRITE, REPLACE, SAME, MISSING, LEFT = "write", "replace", "same", "missing", "left"
LISTED_FROM = 100


@dataclass(frozen=True)
class Selection:
    """Which objects: exactly one of the three ways."""

    keys: frozenset[str] = frozenset()
    prefix: str = ""
    everything: bool = False

    def __post_init__(self) -> None:
        if sum((bool(self.keys), bool(self.prefix), self.everything)) != 1:
            raise InvalidInput(
                "Say which objects: one key, a prefix or everything, and only one of these.",
                hint="`leitstand restore objects KEY`, `--prefix documents/` or `--all`.",
            )

    def wants(self, key: str) -> bool:
        """Whether this key is one of them."""
        return self.everything or (key in self.keys if self.keys else key.startswith(self.prefix))

    @property
    def listed_prefix(self) -> str:
        """With what every key begins."""
        return next(iter(self.keys)) if len(self.keys) == 1 else self.prefix


@dataclass(frozen=True)
class Item:
    """One object of a plan.

    Args:
        action: write it; replace what is there (which stays as an older version); same: it is there; left: it is
            there otherwise, and only missing ones were asked for; missing: neither a copy nor a version has it.
    """

    wanted: Wanted
    action: str


@dataclass(frozen=True)
class Plan:
    """What a restore would do.

    Args:
        newer: objects in the target that were not there at the instant; they stay.
    """

    role: str
    state: State
    target: Target
    only_missing: bool
    items: list[Item]
    newer: int

    def of(self, *actions: str) -> list[Item]:
        """The items with these actions."""
        return [item for item in self.items if item.action in actions]

    @property
    def bytes(self) -> int:
        """Bytes that would be written."""
        return sum(item.wanted.bytes for item in self.of(WRITE, REPLACE))

    @property
    def sha256(self) -> str:
        """Hash of what there will be; the same before, in the middle of and after the execution."""
        objects = [[item.wanted.key, item.wanted.sha256 or item.wanted.version] for item in self.items]
        said = [self.role, self.target.name, self.state.at.isoformat(), self.state.manifest["id"]]
        return hashlib.sha256(json.dumps([*said, self.only_missing, objects]).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """The `--json` document."""
        counted = Counter(item.action for item in self.items)
        return {
            "bucket": self.role,
            "target": self.target.name,
            "to_time": self.state.at.isoformat(),
            "backup_id": self.state.manifest["id"],
            "inventory_at": self.state.listed_at.isoformat(),
            "plan_sha256": self.sha256,
            "objects": len(self.items),
            **{action: counted[action] for action in (WRITE, REPLACE, SAME, LEFT, MISSING)},
            "newer": self.newer,
            "bytes": self.bytes,
            "missing_keys": [item.wanted.key for item in self.of(MISSING)],
        }


@dataclass(frozen=True)
class RestoredObjects:
    """What a restore did.

    Args:
        written: new and replacing ones.
        verified: objects that were read back and have the right SHA-256.
        failed: keys of those that could not be restored, with the reason.
    """

    written: int
    verified: int
    bytes: int
    seconds: float
    failed: dict[str, str] = field(default_factory=dict)


def plan_restore(
    settings: Settings,
    *,
    selection: Selection,
    to_time: datetime,
    target: str,
    role: str = "media",
    only_missing: bool = False,
    copies_only: bool = False,
    into: Settings | None = None,
) -> Plan:
    """What restoring would write, replace and lack; nothing is written. Needs a key and no database.

    Args:
        to_time: the instant, to the second.
        target: name of a bucket, or the path of a folder.
        role: media or evidence.
        only_missing: replace nothing.
        copies_only: take the bucket itself for gone: what a drill proves.
        into: settings of another store than that of the backups, where `target` is a bucket of it.

    Raises:
        NotFound: no backup covers the instant, nothing is selected, or there is no such bucket.
        InvalidInput: the instant lies in the future, or the target holds something else.
    """
    place = copied_place(role)
    prefix = selection.listed_prefix
    state = state_at(settings, place, to_time, wanted=selection.wants, prefix=prefix, copies_only=copies_only)
    if not state.objects:
        raise NotFound(
            msg(
                "At {at} there was no such object in {bucket}.",
                at=to_time.isoformat(),
                bucket=place.bucket(settings),
            ),
            hint=msg(
                "The inventory in force is of {at}, backup {id}.",
                at=state.listed_at.isoformat(),
                id=state.manifest["id"],
            ),
        )
    goal = target_of(into or settings, place, target, None if copies_only or into else state)
    copied = _copied(state.copies, state.objects.values())
    items = [_item(state, goal, wanted, copied, only_missing) for _, wanted in sorted(state.objects.items())]
    return Plan(role, state, goal, only_missing, items, _newer(state, goal))


def _copied(copies: Copies, objects: Iterable[Wanted]) -> set[str]:
    """The keys of copies that are in the store."""
    wanted = {data_key(one.sha256) for one in objects if one.sha256}
    if len(wanted) < LISTED_FROM:
        return {key for key in wanted if any(i.key == key for i in copies.storage.list(copies.bucket, key))}
    return wanted & {info.key for info in copies.storage.list(copies.bucket, DATA)}


def _item(state: State, into: Target, wanted: Wanted, copied: set[str], only_missing: bool) -> Item:
    held = into.holds(wanted)
    if held == "same":
        return Item(wanted, SAME)
    if held == "other" and only_missing:
        return Item(wanted, LEFT)
    if data_key(wanted.sha256) not in copied and not state.has(wanted):
        return Item(wanted, MISSING)
    return Item(wanted, REPLACE if held == "other" else WRITE)


def _newer(state: State, into: Target) -> int:
    if not (isinstance(into, BucketTarget) and into.own):
        return 0
    return sum(key not in state.objects and state.current(key) is not None for key in state.versions or {})


def execute_restore(
    settings: Settings, plan: Plan, *, folder: Path | None = None, progress: Progress | None = None
) -> RestoredObjects:
    """Do what the plan says. One object that can't be restored is named and does not stop the others.

    Args:
        folder: where one object at a time is kept on its way, if not under <data_dir>/tmp.

    Raises:
        PreconditionFailed: the disk is too small, or replacing would lose what is there.
        Conflict: another restore of objects is running on this machine.
        Unavailable: a store does not answer.
    """
    plan.target.refuse_loss(len(plan.of(REPLACE)))
    _refuse_full_disk(settings, plan)
    if isinstance(plan.target, BucketTarget) and plan.target.own:
        plan.target.storage.ensure_bucket(plan.target.name, versioned=True)
    began, reporter = datetime.now(UTC), Reporter(progress)
    with _work_folder(settings, folder) as own:
        work = _Work(settings, plan, own)
        for number, item in enumerate(plan.items, 1):
            work.restore(item)
            reporter.report(f"{number} of {len(plan.items)} objects, {work.bytes / 1e6:.1f} MB written")
    seconds = (datetime.now(UTC) - began).total_seconds()
    return RestoredObjects(work.written, work.verified, work.bytes, round(seconds, 3), work.failed)


def _refuse_full_disk(settings: Settings, plan: Plan) -> None:
    todo = plan.of(WRITE, REPLACE)
    check_free(settings.data_dir, max((item.wanted.bytes for item in todo), default=0))
    if isinstance(plan.target, FolderTarget):
        check_free(plan.target.folder, plan.bytes)


@contextmanager
def _work_folder(settings: Settings, given: Path | None) -> Iterator[Path]:
    """A folder for one object at a time; what a killed restore left in it goes. Its lock ends with the process."""
    parent = settings.data_dir / "tmp"
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with alone(parent / "restore-objects.lock") as free:
        if not free:
            raise Conflict(
                "Another restore of objects is running on this machine.", hint="Wait until it has ended."
            )
        folder = (given or parent) / "restore-objects"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class _Work:
    """The execution of a plan, object by object."""

    def __init__(self, settings: Settings, plan: Plan, folder: Path) -> None:
        self.plan, self.content = plan, folder / "content"
        self.storage = ObjectStorage(settings)
        self.bucket = copied_place(plan.role).bucket(settings)
        self.identities = keys.identities(settings)
        self.written = self.verified = self.bytes = 0
        self.failed: dict[str, str] = {}

    def restore(self, item: Item) -> None:
        """Restore one object and read it back."""
        if item.action == LEFT or self._is_current(item):
            return
        try:
            if item.action != SAME or not self._is_right(item.wanted, item.wanted.sha256):
                self._write(item.wanted)
        except (IntegrityFailed, NotFound) as error:
            self.failed[item.wanted.key] = error.message
        finally:
            self.content.unlink(missing_ok=True)

    def _is_current(self, item: Item) -> bool:
        """This very version is the current one: it is not read again, as nothing can have written to it."""
        own = isinstance(self.plan.target, BucketTarget) and self.plan.target.own
        current = self.plan.state.current(item.wanted.key)
        return item.action == SAME and own and current is not None and current.version == item.wanted.version

    def _write(self, wanted: Wanted) -> None:
        digest = self._fetch(wanted)
        self.plan.target.put(wanted, self.content)
        self.written += 1
        self.bytes += wanted.bytes
        if not self._is_right(wanted, digest):
            raise IntegrityFailed(msg("What was written to {key} is not what was restored.", key=wanted.key))

    def _is_right(self, wanted: Wanted, digest: str) -> bool:
        """Read it back; a store may name a hash that its content has not."""
        try:
            right = self.plan.target.sha256(wanted.key) == digest
        except IntegrityFailed:
            return False
        self.verified += right
        return right

    def _fetch(self, wanted: Wanted) -> str:
        """The content from the bucket's own version, else from the copy; gives its SHA-256.

        Raises:
            NotFound, IntegrityFailed: neither has it.
        """
        ways: list[Callable[[Wanted], str]] = [self._from_version, self._from_copy]
        problems: list[IntegrityFailed | NotFound] = []
        for way in ways if self.plan.state.has(wanted) else ways[1:]:
            try:
                return way(wanted)
            except (IntegrityFailed, NotFound) as error:
                problems.append(error)
        raise problems[-1]

    def _from_version(self, wanted: Wanted) -> str:
        read = self.storage.download(
            self.bucket, wanted.key, self.content, version=wanted.version, sha256=wanted.sha256
        )
        return read.sha256

    def _from_copy(self, wanted: Wanted) -> str:
        entry = Entry(wanted.key, wanted.version, wanted.bytes, wanted.sha256, self.plan.role)
        with self.content.open("wb") as sink:
            found = write_copy(self.plan.state.copies, entry, sink, identities=self.identities)
        if found != (wanted.bytes, wanted.sha256):
            raise IntegrityFailed(msg("The copy of {key} is not what was copied.", key=wanted.key))
        return wanted.sha256
