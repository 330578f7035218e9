"""What the object store answers."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Stored:
    """An object that has been written.

    Args:
        version: the store's version id, empty in a bucket without versions.
        bytes: its size.
        sha256: hexadecimal, of the content.
    """

    bucket: str
    key: str
    version: str
    bytes: int
    sha256: str

    @property
    def address(self) -> str:
        """s3://bucket/key."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class ObjectLock:
    """How an object is kept from deletion: GOVERNANCE or COMPLIANCE, and until when."""

    mode: str
    until: datetime

    def __str__(self) -> str:
        return f"{self.mode} until {self.until:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True)
class ObjectInfo:
    """One line of a listing; `version` is empty unless versions were listed, `deleted` tells a marked deletion."""

    key: str
    bytes: int
    etag: str
    modified: datetime
    version: str = ""
    latest: bool = True
    deleted: bool = False


@dataclass(frozen=True)
class ObjectHead:
    """What is known of an object without reading it; `sha256` is empty when someone else wrote it."""

    bytes: int
    etag: str
    version: str
    sha256: str
    content_type: str
    modified: datetime
    metadata: dict[str, str] = field(default_factory=dict)
