"""Names of write-ahead log files, and where each is kept. Imported at every archived segment: keep it tiny."""

import re
import struct
from itertools import pairwise
from pathlib import Path

SEGMENT = re.compile(r"[0-9A-F]{24}")
ARCHIVED = re.compile(r"[0-9A-F]{24}(\.partial|\.[0-9A-F]{8}\.backup)?|[0-9A-F]{8}\.history")
SEGMENT_BYTES = 16 * 1024 * 1024
LARGEST_SEGMENT = 1024 * 1024 * 1024
SUFFIX = ".zst.age"


def is_archived_name(name: str) -> bool:
    """Whether PostgreSQL archives files of this name: segments, timeline histories, backup labels."""
    return ARCHIVED.fullmatch(name) is not None


def system_identifier(data: Path) -> str:
    """The identifier of the cluster in `data`, as decimal digits: the first 8 bytes of its control file."""
    with (data / "global" / "pg_control").open("rb") as stream:
        (identifier,) = struct.unpack("=Q", stream.read(8))
    return str(identifier)


def prefix(system_id: str) -> str:
    """Prefix of a cluster's archived log."""
    return f"postgres/{system_id}/wal/"


def key(system_id: str, name: str) -> str:
    """Object key of an archived file, under its timeline."""
    return f"{prefix(system_id)}{name[:8]}/{name}{SUFFIX}"


def name_of(system_id: str, stored: str) -> str:
    """The name of an archived file from its object key; empty where that is none of our archiver's."""
    name = stored.rpartition("/")[2].removesuffix(SUFFIX)
    return name if is_archived_name(name) and stored == key(system_id, name) else ""


def next_segment(name: str, segment_bytes: int = SEGMENT_BYTES) -> str:
    """The segment that follows on the same timeline."""
    per_log = 0x1_0000_0000 // segment_bytes
    number = int(name[8:16], 16) * per_log + int(name[16:24], 16) + 1
    return f"{name[:8]}{number // per_log:08X}{number % per_log:08X}"


def segment_of(lsn: int, timeline: int, segment_bytes: int = SEGMENT_BYTES) -> str:
    """The segment that holds a log position."""
    per_log = 0x1_0000_0000 // segment_bytes
    number = lsn // segment_bytes
    return f"{timeline:08X}{number // per_log:08X}{number % per_log:08X}"


def lsn_number(text: str) -> int:
    """A log position such as `0/2000028` as a number of bytes."""
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def first_gap(names: list[str], segment_bytes: int = SEGMENT_BYTES) -> str:
    """The first segment that is missing between the first and the last of one timeline; empty when none is."""
    ordered = sorted(names)
    for before, after in pairwise(ordered):
        expected = next_segment(before, segment_bytes)
        if after != expected:
            return expected
    return ""
