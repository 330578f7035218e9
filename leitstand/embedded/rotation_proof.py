"""Prove a rotation: what is new works, what was old does not. Values stay in memory and are in no message."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any

from leitstand.embedded import programs
from leitstand.embedded.environment import Environment
from leitstand.embedded.rotation_units import BY_NAME, pair_fits, password_fits
from leitstand.errors import PreconditionFailed
from leitstand.services import PREFECT

OK, REFUSED = 200, 401
SIGNER, SIGNERS_BEFORE = "session_secret", "session_secret_previous"
SEALER = "secrets_key"


@dataclass(frozen=True, repr=False)
class Values:
    """The secrets of the units at one moment, for the comparison.

    Args:
        settings: setting -> value.
        identities: the operational age keys.
    """

    settings: dict[str, str]
    identities: list[Any]

    def __repr__(self) -> str:
        return "Values(…)"


@dataclass(frozen=True)
class Proof:
    """One finding.

    Args:
        name: of the unit.
        ok: the new value works and the old one does not (or is still taken on purpose).
        detail: in words.
    """

    name: str
    ok: bool
    detail: str


def values_of(environment: Environment) -> Values:
    """The secrets as they are now."""
    from leitstand.backups import keys

    names = {setting for unit in BY_NAME.values() for setting in unit.settings}
    files = {name: environment.secrets_dir / f"leitstand_{name}" for name in names}
    settings = {name: path.read_text().strip() for name, path in files.items() if path.exists()}
    return Values(settings, keys.identities_in(environment.data_dir / "keys" / keys.OPERATIONAL))


def prove(environment: Environment, names: Sequence[str], before: Values) -> list[Proof]:
    """Try old and new values of the rotated units on the services themselves."""
    after = values_of(environment)
    return [PROOFS[name](environment, before, after) for name in names if name in PROOFS]


def _verdict(name: str, new: bool, old: bool | None) -> Proof:
    """`old` is None where the old value is not known any more, because an earlier run that was cut short replaced it."""
    said = "was replaced by the run before" if old is None else f"is {'STILL TAKEN' if old else 'refused'}"
    return Proof(name, new and not old, f"the new one is {'taken' if new else 'REFUSED'}, the old one {said}")


def _database(environment: Environment, before: Values, after: Values) -> Proof:
    new, old = (values.settings["database_password"] for values in (after, before))
    taken = None if old == new else password_fits(environment, old)
    return _verdict("database", password_fits(environment, new), taken)


def _objects(environment: Environment, before: Values, after: Values) -> Proof:
    new, old = (
        (values.settings["s3_access_key"], values.settings["s3_secret_key"]) for values in (after, before)
    )
    return _verdict(
        "objects", pair_fits(environment, *new), None if old == new else pair_fits(environment, *old)
    )


def _session(_: Environment, before: Values, after: Values) -> Proof:
    from leitstand.identity.secret import replaced_keys

    old, new = before.settings[SIGNER], after.settings[SIGNER]
    kept = {key.decode() for _, key in replaced_keys(after.settings.get(SIGNERS_BEFORE, ""))}
    purpose = "still taken, for open pages and links in mails" if old in kept else "refused"
    if old == new:
        return _verdict("session", bool(new), None)
    return Proof("session", bool(new), f"the new one signs, the old one is {purpose}")


def _sealing(environment: Environment, before: Values, after: Values) -> Proof:
    """What is sealed now needs the new key, and nothing in the database needs an earlier one."""
    from leitstand.db.engine import make_engine, transaction
    from leitstand.identity.sealed import seal_again

    settings = programs.settings_of(environment)
    engine = make_engine(settings)
    try:
        with transaction(engine) as session:
            left = seal_again(session, settings)
    finally:
        engine.dispose()
    changed = before.settings.get(SEALER) != after.settings[SEALER]
    said = "the new one seals" if changed else "was replaced by the run before"
    return Proof(
        "sealing", left == 0, f"{said}; {left or 'nothing'} in the database was sealed with an earlier one"
    )


def _prefect(environment: Environment, before: Values, after: Values) -> Proof:
    passwords = [values.settings["prefect_password"] for values in (after, before)]
    new, old = (_answer(environment, password) for password in passwords)
    if not new:
        return Proof("prefect", True, "Prefect does not run; it starts with the new one")
    return _verdict("prefect", new == OK, None if len(set(passwords)) == 1 else old != REFUSED)


def _answer(environment: Environment, password: str) -> int:
    """What Prefect's API says to a password; 0 where it does not run."""
    login = base64.b64encode(f"{programs.PREFECT_USER}:{password}".encode()).decode()
    connection = HTTPConnection("127.0.0.1", environment.port_of(PREFECT), timeout=10)
    try:
        connection.request("GET", "/prefect/api/admin/version", headers={"Authorization": f"Basic {login}"})
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


def _backup_key(environment: Environment, before: Values, after: Values) -> Proof:
    """Sealed to today's recipients, something opens with the new key and not with the old one."""
    from leitstand.backups import keys, sealing

    recipients = keys.parsed(keys.recipients_of(programs.settings_of(environment)))
    sealed = sealing.seal(b"proof", recipients)
    same = [str(one) for one in before.identities] == [str(one) for one in after.identities]
    return _verdict(
        "backup-key", _opens(sealed, after.identities), None if same else _opens(sealed, before.identities)
    )


def _opens(sealed: bytes, identities: list[Any]) -> bool:
    from leitstand.backups import sealing

    try:
        return sealing.unseal(sealed, identities, most=64) == b"proof"
    except PreconditionFailed:
        return False


PROOFS: dict[str, Callable[[Environment, Values, Values], Proof]] = {
    "database": _database,
    "objects": _objects,
    "session": _session,
    "sealing": _sealing,
    "prefect": _prefect,
    "backup-key": _backup_key,
}
