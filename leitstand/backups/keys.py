"""The age keys of backups: two recipients, one of whose private halves is meant to leave this machine."""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leitstand.errors import PreconditionFailed
from leitstand.settings import Settings
from leitstand.words import msg

OPERATIONAL = "operational.agekey"
OFFLINE = "offline-recovery.agekey"
RECIPIENTS = "recipients.txt"
FEWEST = 2

OFFLINE_TEXT = """\
# Leitstand's offline recovery key, made {at}.
# Move this file to a place that is not this machine (a password manager, a sealed USB stick), then delete it
# here. With it and the backups everything can be restored when this machine is gone; without it and without
# {operational} nothing can. To restore, put it into <data_dir>/keys/ of the new machine.
# public key: {recipient}
{identity}
"""


@dataclass(frozen=True)
class Keys:
    """What backups are encrypted to.

    Args:
        recipients: age public keys, at least two.
        offline_key_here: path of the offline key while it still lies on this machine.
    """

    recipients: tuple[str, ...]
    offline_key_here: Path | None


def keys_dir(settings: Settings) -> Path:
    """Folder of this machine's identities."""
    return settings.data_dir / "keys"


def ensure_keys(settings: Settings) -> Keys:
    """The recipients; what is missing of this machine's own keys is made (private, once, never replaced).

    `backup_recipients` replaces the recipients that are kept in the folder.

    Raises:
        PreconditionFailed: fewer than two recipients, or one that is no age public key.
    """
    folder = keys_dir(settings)
    with locked(folder):
        if not settings.backup_recipients:
            _make_missing(folder)
    recipients = recipients_of(settings)
    offline = folder / OFFLINE
    return Keys(recipients, offline if offline.exists() else None)


def recipients_of(settings: Settings) -> tuple[str, ...]:
    """The age public keys that backups are encrypted to, without making any.

    Raises:
        PreconditionFailed: there are fewer than two, or one is malformed.
    """
    listed = settings.backup_recipients.split() or _listed(keys_dir(settings) / RECIPIENTS)
    recipients = tuple(dict.fromkeys(listed))
    for recipient in recipients:
        _public(recipient)
    if len(recipients) < FEWEST:
        raise PreconditionFailed(
            msg(
                "Backups need at least {fewest} age recipients and there are {count}.",
                fewest=FEWEST,
                count=len(recipients),
            ),
            hint="Give LEITSTAND_BACKUP_RECIPIENTS two public keys, one of them kept offline, or leave it empty.",
        )
    return recipients


def identities(settings: Settings) -> list[Any]:
    """Every private key in this machine's folder (`*.agekey`), to open backups with.

    Raises:
        PreconditionFailed: there is none.
    """
    found = [
        identity for path in sorted(keys_dir(settings).glob("*.agekey")) for identity in identities_in(path)
    ]
    if not found:
        raise PreconditionFailed(
            msg("No key that opens backups is in {settings}.", settings=keys_dir(settings)),
            hint="Put the operational or the offline recovery key (*.agekey) there.",
        )
    return found


def identities_in(path: Path) -> list[Any]:
    """The private keys in one file; empty where there is no such file.

    Raises:
        PreconditionFailed: a line of it is no age key.
    """
    from pyrage import IdentityError, x25519

    try:
        return [x25519.Identity.from_str(line) for line in _listed(path)]
    except (IdentityError, UnicodeDecodeError) as error:
        raise PreconditionFailed(msg("{path} holds something that is no age key.", path=path)) from error


def is_recipient(own: Iterable[Any], recipients: Iterable[str]) -> bool:
    """Whether one of these identities opens what was encrypted to the recipients."""
    return not {str(identity.to_public()) for identity in own}.isdisjoint(recipients)


def offline_recipients(settings: Settings, recipients: tuple[str, ...]) -> tuple[str, ...]:
    """Those whose private half is not one of this machine's own keys.

    The offline recovery key counts as offline also while it waits here to be moved away: it is made with the first
    backup, and no backup at all would be worse.
    """
    own = {
        str(identity.to_public())
        for path in keys_dir(settings).glob("*.agekey")
        if path.name != OFFLINE
        for identity in identities_in(path)
    }
    return tuple(recipient for recipient in recipients if recipient not in own)


def check_offline(settings: Settings, recipients: tuple[str, ...]) -> None:
    """Refuse recipients that are all lost with this machine.

    Raises:
        PreconditionFailed: none of them is offline.
    """
    if not offline_recipients(settings, recipients):
        raise PreconditionFailed(
            msg(
                "Every key that would open this backup lies on this machine, in {settings}.",
                settings=keys_dir(settings),
            ),
            hint="Move the offline key away from here, or add the public key of one that is kept elsewhere.",
        )


def parsed(recipients: tuple[str, ...]) -> list[Any]:
    """The recipients as pyrage takes them."""
    return [_public(recipient) for recipient in recipients]


def _public(recipient: str) -> Any:
    from pyrage import RecipientError, x25519

    try:
        return x25519.Recipient.from_str(recipient)
    except RecipientError as error:
        raise PreconditionFailed(
            msg("{recipient!r} is no age public key.", recipient=recipient[:20]),
            hint="They begin with age1; see LEITSTAND_BACKUP_RECIPIENTS.",
        ) from error


def _listed(path: Path) -> list[str]:
    if not path.exists():
        return []
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line]


def _make_missing(folder: Path) -> None:
    """Both identities the first time; later only what was deleted of the operational one."""
    recipients = _listed(folder / RECIPIENTS)
    if not (folder / OPERATIONAL).exists():
        recipients.insert(0, _make(folder / OPERATIONAL, "{identity}\n"))
    if len(recipients) < FEWEST:
        recipients.append(_make(folder / OFFLINE, OFFLINE_TEXT))
    if recipients != _listed(folder / RECIPIENTS):
        write_private(
            folder / RECIPIENTS,
            "\n".join(["# age public keys that backups are encrypted to", *recipients, ""]),
        )


def _make(path: Path, text: str) -> str:
    from pyrage import x25519

    identity = x25519.Identity.generate()
    recipient = str(identity.to_public())
    at = f"{datetime.now(UTC):%Y-%m-%d}"
    write_private(path, text.format(identity=identity, recipient=recipient, operational=OPERATIONAL, at=at))
    return recipient


def write_private(path: Path, content: str | bytes) -> None:
    """Write a file of mode 0600 at once: complete or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content.encode() if isinstance(content, str) else content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Only one process at a time makes or replaces files of the keys' folder."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
