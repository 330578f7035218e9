"""What the archived log itself says: the newest commit in it, and which backups lead to its newest timeline."""

import os
import re
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from leitstand.backups import wal
from leitstand.backups.fetch_wal import Source
from leitstand.db.cluster import bin_dir
from leitstand.errors import PreconditionFailed
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.words import msg

# A server that nothing writes to closes segments without a commit in them.
LOOKED_INTO = 40
COMMIT = re.compile(r"desc: COMMIT(?:_PREPARED)? (?:\d+: )?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}) UTC")
HISTORY = ".history"
ENDLESS = 2**64


def segments(storage: ObjectStorage, bucket: str, system_id: str) -> list[str]:
    """Names of every archived segment of a cluster, oldest timeline first, in order."""
    names = (
        PurePosixPath(info.key).name.removesuffix(wal.SUFFIX)
        for info in storage.list(bucket, wal.prefix(system_id))
    )
    return sorted(name for name in names if wal.SEGMENT.fullmatch(name))


def newest_commit(settings: Settings, manifest: dict[str, Any]) -> datetime | None:
    """When the newest transaction in the archived log was committed; any instant before it can be recovered to.

    Read from the segments themselves: when a segment was stored says nothing of what is in it. None where the
    newest `LOOKED_INTO` segments hold none.

    Args:
        manifest: of a backup of the cluster.

    Raises:
        PreconditionFailed: no key opens them, or they are another engine's.
        IntegrityFailed, Unavailable: a segment is not what was archived, or the store does not answer.
    """
    if "archive" in manifest:
        raise PreconditionFailed(
            msg("The archived log of {archive} can't be read here.", archive=manifest["archive"]),
            hint="Only what our own archiver stored is: rehearse with `leitstand drill run postgres-latest`.",
        )
    source = Source(settings, str(manifest["system_identifier"]))
    names = segments(source.storage, source.bucket, source.system_id)
    newest = [name for name in names if name[:8] == names[-1][:8]]
    with tempfile.TemporaryDirectory(prefix="leitstand-log-") as folder:
        for name in reversed(newest[-LOOKED_INTO:]):
            path = Path(folder) / name
            path.write_bytes(source.read(name))
            commits = commits_in(path)
            path.unlink()
            if commits:
                return max(commits)
    return None


def commits_in(segment: Path) -> list[datetime]:
    """When the transactions whose commits lie in a segment were committed, in the order of the log."""
    done = subprocess.run(
        [str(bin_dir() / "pg_waldump"), "--rmgr=Transaction", str(segment)],
        env={**os.environ, "TZ": "UTC", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    # Its exit code says that a segment ends before the log does, which a single one always does.
    return [datetime.fromisoformat(at).replace(tzinfo=UTC) for at in COMMIT.findall(done.stdout)]


def on_newest_timeline(
    storage: ObjectStorage, bucket: str, manifests: list[dict[str, Any]], own: list[Any] | None = None
) -> list[dict[str, Any]]:
    """The backups from which recovery gets onto their cluster's newest timeline.

    The others were taken on a timeline after the newest one had left it: a cluster that was restored to an instant
    before them goes on without them. Another engine's archive is not read: its own restore finds the way, or says so.

    Args:
        own: private keys that open the archive; None: those of this machine.

    Raises:
        PreconditionFailed: no key opens the history of the newest timeline.
    """
    ours = {manifest["system_identifier"] for manifest in manifests if "archive" not in manifest}
    left = {one: _left_at(storage, bucket, one, own) for one in ours}
    return [
        manifest
        for manifest in manifests
        if "archive" in manifest or _leads_on(manifest, left[manifest["system_identifier"]])
    ]


def _leads_on(manifest: dict[str, Any], left: dict[int, int]) -> bool:
    timeline = int(manifest["timeline"])
    if timeline > max(left, default=0):  # its own history is not archived, or none is: recovery stays on it
        return True
    return timeline in left and wal.lsn_number(manifest["stop_lsn"]) <= left[timeline]


def _left_at(storage: ObjectStorage, bucket: str, system_id: str, own: list[Any] | None) -> dict[int, int]:
    """Where in the log the newest timeline left each one that it grew from, directly or not; itself, nowhere."""
    histories = [
        name
        for info in storage.list(bucket, wal.prefix(system_id))
        if (name := PurePosixPath(info.key).name.removesuffix(wal.SUFFIX)).endswith(HISTORY)
    ]
    if not histories:
        return {}
    settings = storage.settings.model_copy(update={"bucket_backups": bucket})
    newest = max(histories)
    said = Source(settings, system_id, own).read(newest).decode()
    parts = [line.split() for line in said.splitlines() if line.strip() and not line.startswith("#")]
    left = {int(timeline): wal.lsn_number(position) for timeline, position, *_ in parts}
    return {**left, int(newest.removesuffix(HISTORY), 16): ENDLESS}
