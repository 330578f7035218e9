"""Tokens and S3 keys of projects: from the environment or a secret file that only its owner reads, never an argument."""

import hashlib
import os
from typing import Literal

from pydantic import SecretStr

from leitstand.errors import PreconditionFailed
from leitstand.hetzner.description import Environment
from leitstand.settings import Settings
from leitstand.words import msg

type Kind = Literal["token", "s3_access_key", "s3_secret_key"]
KINDS: tuple[Kind, ...] = ("token", "s3_access_key", "s3_secret_key")


def key_of(settings: Settings, kind: Kind, environment: str) -> SecretStr | None:
    """The secret of an environment's project: `LEITSTAND_HETZNER_TOKEN_PRODUCTION`, or the file of that name in lower case.

    Raises:
        PreconditionFailed: others may read the file.
    """
    name = f"leitstand_hetzner_{kind}_{environment.replace('-', '_')}"
    if value := os.environ.get(name.upper(), "").strip():
        return SecretStr(value)
    path = settings.secrets_dir / name
    if not path.is_file():
        return None
    if path.stat().st_mode & 0o077:
        raise PreconditionFailed(
            msg("Others may read the secret file {name}.", name=name), hint=msg("chmod 600 {path}", path=path)
        )
    return SecretStr(path.read_text().strip()) if path.read_text().strip() else None


def needed(settings: Settings, kind: Kind, environment: str) -> SecretStr:
    """The same, where nothing goes without it.

    Raises:
        PreconditionFailed: there is none.
    """
    found = key_of(settings, kind, environment)
    if found is None:
        name = f"leitstand_hetzner_{kind}_{environment.replace('-', '_')}"
        raise PreconditionFailed(
            msg("There is no {name}.", name=name),
            hint=msg(
                "Make it in Hetzner's console and put it into {folder}/{name} (mode 0600).",
                folder=settings.secrets_dir,
                name=name,
            ),
        )
    return found


def check_separate(settings: Settings, environment: Environment) -> None:
    """Refuse keys that are those of a project from which this one must be separate.

    Raises:
        PreconditionFailed: one is.
    """
    for kind in KINDS:
        own = key_of(settings, kind, environment.name)
        for other in environment.separate_from:
            theirs = key_of(settings, kind, other)
            if own is not None and theirs is not None and _digest(own) == _digest(theirs):
                raise PreconditionFailed(
                    msg(
                        "{name} and {other} have the same {kind}.",
                        name=environment.name,
                        other=other,
                        kind=kind,
                    ),
                    hint="Make a project of its own, with keys of its own: one key opens all of its project.",
                )


def _digest(secret: SecretStr) -> bytes:
    return hashlib.sha256(secret.get_secret_value().encode()).digest()
