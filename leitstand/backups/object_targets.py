"""Where objects are restored to: a bucket, which keeps what is replaced as an older version, or a folder."""

import hashlib
import shutil
from pathlib import Path
from typing import Literal, Protocol

from leitstand.backups.object_history import State, Wanted
from leitstand.backups.places import PLACES, Place
from leitstand.errors import Conflict, InvalidInput, NotFound, PreconditionFailed
from leitstand.settings import Settings
from leitstand.storage.multipart import file_sha256
from leitstand.storage.objects import CHUNK, ObjectStorage
from leitstand.words import msg

Held = Literal["absent", "same", "other"]


class Target(Protocol):
    """What a restore writes into; `name` is what a person types to confirm."""

    name: str

    def holds(self, wanted: Wanted) -> Held:
        """Whether the object is there, as wanted or otherwise."""

    def refuse_loss(self, replaced: int) -> None:
        """Raise PreconditionFailed where replacing would lose what is there."""

    def put(self, wanted: Wanted, content: Path) -> None:
        """Write the object."""

    def sha256(self, key: str) -> str:
        """Hash of the content that is there, read back."""


class BucketTarget:
    """The bucket of a place itself, or another one outside of this environment.

    Args:
        state: what the restore's own bucket holds is known from it; None for another bucket.
    """

    def __init__(self, settings: Settings, bucket: str, state: State | None) -> None:
        self.storage, self.name, self.state = ObjectStorage(settings), bucket, state
        self.own = state is not None
        if not self.own:
            self._refuse_missing()

    def _refuse_missing(self) -> None:
        try:
            next(iter(self.storage.list(self.name)), None)
        except NotFound as error:
            raise NotFound(
                msg("There is no bucket {name}.", name=self.name),
                hint="Make it first; a folder is given as a path that begins with / or ./",
            ) from error

    def holds(self, wanted: Wanted) -> Held:
        version = ""
        if self.state is not None:
            current = self.state.current(wanted.key)
            if current is None:
                return "absent"
            if current.version == wanted.version:
                return "same"
            version = current.version
        try:
            head = self.storage.head(self.name, wanted.key, version=version)
        except NotFound:
            return "absent"
        known = bool(wanted.sha256) and (head.sha256, head.bytes) == (wanted.sha256, wanted.bytes)
        return "same" if known else "other"

    def refuse_loss(self, replaced: int) -> None:
        if replaced and not self.storage.is_versioned(self.name):
            raise PreconditionFailed(
                msg(
                    "The bucket {name} keeps no versions: {replaced} objects that are there would be lost.",
                    name=self.name,
                    replaced=replaced,
                ),
                hint="Restore into another bucket or a folder, or only what is missing.",
            )

    def put(self, wanted: Wanted, content: Path) -> None:
        metadata = {name: value for name, value in wanted.metadata.items() if name != "sha256"}
        self.storage.put_file(self.name, wanted.key, content, wanted.content_type, metadata=metadata)

    def sha256(self, key: str) -> str:
        with self.storage.open_stream(self.name, key) as stream:
            digest = hashlib.sha256()
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
        return digest.hexdigest()


class FolderTarget:
    """A folder: each key is a path in it. What is there is never replaced."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, str(folder)

    def path(self, key: str) -> Path:
        """Where the object lies; nothing in a key leads out of the folder."""
        return self.folder.joinpath(*(_segment(part) for part in key.split("/")))

    def holds(self, wanted: Wanted) -> Held:
        path = self.path(wanted.key)
        if not path.exists():
            return "absent"
        same = path.is_file() and wanted.sha256 and file_sha256(path) == wanted.sha256
        return "same" if same else "other"

    def refuse_loss(self, replaced: int) -> None:
        if replaced:
            raise PreconditionFailed(
                msg(
                    "{folder} has {replaced} other files where objects would go.",
                    folder=self.folder,
                    replaced=replaced,
                ),
                hint="Restore into an empty folder, or only what is missing.",
            )

    def put(self, wanted: Wanted, content: Path) -> None:
        path = self.path(wanted.key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise Conflict(
                msg(
                    "{key} can't lie in a folder: another object has the name of a part of its path.",
                    key=wanted.key,
                ),
                hint="Restore it by itself, into another folder.",
            ) from error
        temporary = path.with_name(f".{path.name[:100]}.restoring")
        try:
            shutil.copyfile(content, temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def sha256(self, key: str) -> str:
        return file_sha256(self.path(key))


def _segment(part: str) -> str:
    """A part of a key as a file name; those that mean something to a file system are written otherwise."""
    if part in {"", ".", ".."}:
        return {"": "%", ".": "%2E", "..": "%2E%2E"}[part]
    return part.replace("%", "%25").replace("\0", "%00")


def target_of(settings: Settings, place: Place, name: str, state: State | None) -> Target:
    """What is called `name`: a folder where it is a path, else a bucket.

    Raises:
        InvalidInput: it is a bucket of this environment that holds something else.
        NotFound: there is no such bucket.
    """
    if name.startswith(("/", "./", "../")):
        return FolderTarget(Path(name).resolve())
    if name == place.bucket(settings):
        return BucketTarget(settings, name, state)
    if any(name == other.bucket(settings) for other in PLACES):
        raise InvalidInput(
            msg(
                "{name} is a bucket of this environment that holds something else than {role}.",
                name=name,
                role=place.role,
            ),
            hint=msg(
                "Restore into {bucket}, into a bucket outside of it, or into a folder.",
                bucket=place.bucket(settings),
            ),
        )
    return BucketTarget(settings, name, None)
