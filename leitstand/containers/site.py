"""The folder of a server, `/srv/leitstand`: its secrets, made once, and what its services see of a release."""

import hashlib
import secrets
from pathlib import Path

from leitstand.containers.certificates import AUTHORITY, CERTIFICATE, KEY, write_certificates
from leitstand.embedded.credentials import GIVEN, LASTING, LEFT, NAMES, random_secret
from leitstand.embedded.environment import SECRET_PREFIX, write_private

STORE = "objects"
CACHE_USERS = "cache_users.acl"
CACHE_PASSWORD = "leitstand_cache_password"  # noqa: S105 - the name of a file
READABLE = 0o444


def ensure(folder: Path) -> list[str]:
    """Make the secrets and folders that are missing in a server's folder and give their names; what is there stays.

    Containers read a file as a user of their own, and so each may be read by everybody who reaches it: nobody but the
    folder's owner passes through `secrets`.
    """
    own = folder / "secrets"
    own.mkdir(parents=True, exist_ok=True, mode=0o700)
    own.chmod(0o700)
    (folder / "state").mkdir(exist_ok=True, mode=0o755)
    made = [
        name for name in (*NAMES, *LASTING) if _ensure(own / f"{SECRET_PREFIX}{name}", random_secret(name))
    ]
    # Given by others, or left by a rotation: the file must be there, and may be empty.
    made += [name for name in (*GIVEN, *LEFT) if _ensure(own / f"{SECRET_PREFIX}{name}", "")]
    if _ensure(own / CACHE_PASSWORD, secrets.token_hex(32)):
        made.append(CACHE_PASSWORD)
    _derive(own / CACHE_USERS, cache_users((own / CACHE_PASSWORD).read_text()))
    if not all((own / name).exists() for name in (AUTHORITY, CERTIFICATE, KEY)):
        write_certificates(own, STORE)
        made.append(CERTIFICATE)
    for path in own.iterdir():
        path.chmod(READABLE)
    return made


def cache_users(password: str) -> str:
    """Who may do what in the cache: one user with a password; without one it only says whether it is there and how it is."""
    digest = hashlib.sha256(password.encode()).hexdigest()
    return f"user default on nopass -@all +ping +info\nuser leitstand on #{digest} ~* &* +@all\n"


def _derive(path: Path, content: str) -> None:
    """Made of other files alone: written anew whenever they, or we, say something else."""
    if not path.exists() or path.read_text() != content:
        path.unlink(missing_ok=True)
        _ensure(path, content)


def _ensure(path: Path, content: str) -> bool:
    if path.exists():
        return False
    write_private(path, content)
    path.chmod(READABLE)
    return True
