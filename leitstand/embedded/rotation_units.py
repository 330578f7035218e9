"""What can be rotated in an embedded environment, and how each is replaced without a moment of having neither.

Each unit makes new values, has them accepted beside the old ones where the service can do that, and retires the old
ones when every process uses the new. Every step may be repeated.
"""

import os
import secrets
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from leitstand.embedded import processes, programs
from leitstand.embedded.credentials import BYTES
from leitstand.embedded.environment import SECRET_PREFIX, Environment
from leitstand.embedded.objects import ObjectStore, inner_certificate, signing_keys
from leitstand.embedded.postgres import Cluster
from leitstand.embedded.rotation_journal import Values
from leitstand.errors import PreconditionFailed, Unavailable
from leitstand.services import OBJECTS, POSTGRES, PREFECT, PREFECT_WORKER, PROXY, SERVICES, Service
from leitstand.words import msg

if TYPE_CHECKING:
    from leitstand.settings import Settings

ACCEPT_SECONDS = 30.0
OURS = (*(service for service in SERVICES if service.python), PREFECT_WORKER)


def no_step(environment: Environment, values: Values) -> None:
    """Nothing is to be done at this step."""


@dataclass(frozen=True)
class Unit:
    """Secrets that change together.

    Args:
        title: what it is.
        effect: what people notice.
        settings: names of the settings that it replaces; empty where it is no setting.
        services: which read it when they start.
        make: new content of files, given whether the old value was leaked (then nothing accepts it any more).
        accept: has the new value taken beside the old one, or instead of it; before the files are written.
        retire: has the old value refused; after the services were started again.
        given: the setting that hands this over to someone else when it is not empty.
    """

    name: str
    title: str
    effect: str
    settings: tuple[str, ...]
    services: tuple[Service, ...]
    make: Callable[[Environment, bool], Values]
    accept: Callable[[Environment, Values], None] = no_step
    retire: Callable[[Environment, Values], None] = no_step
    given: str = ""

    def elsewhere(self, settings: "Settings") -> str:
        """Why it can't be rotated here; empty when it can."""
        if self.given and getattr(settings, self.given):
            return f"{self.given} is set: change it at whoever gives it"
        names = [name for name in self.settings if os.environ.get(f"LEITSTAND_{name.upper()}")]
        return f"LEITSTAND_{names[0].upper()} is set: change it where it is set" if names else ""


def file_of(setting: str) -> str:
    """The file of a secret, within the data folder."""
    return f"secrets/{SECRET_PREFIX}{setting}"


# --- the database's password ---


def _new_password(_: Environment, __: bool) -> Values:
    return {file_of("database_password"): secrets.token_hex(BYTES)}


def password_fits(environment: Environment, password: str) -> bool:
    """Whether PostgreSQL takes a password for both roles.

    Raises:
        Unavailable: it does not answer.
    """
    import psycopg

    cluster = Cluster(environment.postgres_dir, environment.port_of(POSTGRES), password)
    try:
        for role in ("postgres", "leitstand"):
            psycopg.connect(cluster.conninfo("postgres", role), connect_timeout=5).close()
    except psycopg.OperationalError as error:
        # Before a connection is there, libpq gives the reason in words only.
        if "password authentication failed" in str(error):
            return False
        raise Unavailable("The database does not answer.", hint="Start it with ./run up.") from error
    return True


def _accept_password(environment: Environment, values: Values) -> None:
    new = values[file_of("database_password")]
    if password_fits(environment, new):
        return
    if not password_fits(environment, environment.secret("database_password")):
        raise PreconditionFailed(
            "The database takes neither its old nor its new password.",
            hint="Restore the secrets of a backup: leitstand secrets restore.",
        )
    programs.cluster(environment).change_password(new)


# --- the object store ---


def _new_pair(_: Environment, __: bool) -> Values:
    return {
        file_of("s3_access_key"): secrets.token_hex(BYTES // 3),
        file_of("s3_secret_key"): secrets.token_hex(BYTES),
    }


def _pair(values: Values) -> tuple[str, str]:
    return values[file_of("s3_access_key")], values[file_of("s3_secret_key")]


def pair_fits(environment: Environment, access_key: str, secret_key: str) -> bool:
    """Whether the object store takes a credential.

    Raises:
        Unavailable: it does not answer.
    """
    from pydantic import SecretStr

    from leitstand.storage.objects import ObjectStorage

    credential = {"s3_access_key": SecretStr(access_key), "s3_secret_key": SecretStr(secret_key)}
    settings = programs.settings_of(environment).model_copy(update=credential)
    try:
        next(iter(ObjectStorage(settings).list(settings.bucket_backups)), None)
    except PreconditionFailed:
        return False
    return True


def _reload(environment: Environment, *credentials: tuple[str, str]) -> None:
    ObjectStore(environment.objects_dir, environment.port, "", "").accept(*credentials)
    for known in processes.known(environment.pids_dir):
        if known.name == OBJECTS.name:
            known.signal(signal.SIGHUP)


def _accept_pair(environment: Environment, values: Values) -> None:
    """Both credentials are taken from here on, until the old one is retired."""
    new = _pair(values)
    _reload(environment, *ObjectStore(environment.objects_dir, environment.port, "", "").accepted(), new)
    deadline = time.monotonic() + ACCEPT_SECONDS
    while not pair_fits(environment, *new):
        if time.monotonic() > deadline:
            raise Unavailable(
                "The object store does not take up its new credential.",
                hint=msg(
                    "See {log_of}, then rotate again: it goes on where it stopped.",
                    log_of=environment.log_of(OBJECTS.name),
                ),
            )
        time.sleep(0.2)


def _retire_pair(environment: Environment, values: Values) -> None:
    _reload(environment, _pair(values))


def _new_inner(environment: Environment, _: bool) -> Values:
    certificate, key = inner_certificate()
    folder = environment.objects_dir.name
    return {
        f"{folder}/signing-keys.json": signing_keys(),
        f"{folder}/inner-key.pem": key,
        f"{folder}/inner-certificate.pem": certificate,
    }


# --- what signs, and Prefect ---


def _new_signer(environment: Environment, leaked: bool) -> Values:
    """The key that was replaced stays accepted, unless it was leaked; three of them at most."""
    earlier = environment.secrets_dir / f"{SECRET_PREFIX}session_secret_previous"
    before = earlier.read_text().split() if earlier.exists() else []
    replaced = f"{int(datetime.now(UTC).timestamp())}:{environment.secret('session_secret')}"
    kept = [] if leaked else [replaced, *before][:3]
    return {
        file_of("session_secret_previous"): "\n".join(kept),
        file_of("session_secret"): secrets.token_hex(BYTES),
    }


def _new_sealer(environment: Environment, _: bool) -> Values:
    """Every earlier key stays, even a leaked one: it seals nothing any more, and opens what a restored database holds."""
    earlier = environment.secrets_dir / f"{SECRET_PREFIX}secrets_key_previous"
    before = earlier.read_text().split() if earlier.exists() else []
    return {
        file_of("secrets_key_previous"): "\n".join([environment.secret("secrets_key"), *before]),
        file_of("secrets_key"): secrets.token_hex(BYTES),
    }


def _seal_again(environment: Environment, _: Values) -> None:
    """In one transaction, when every process seals with the new key; cut short, the earlier key still opens all."""
    from leitstand.db.engine import make_engine, transaction
    from leitstand.identity.sealed import seal_again

    settings = programs.settings_of(environment)
    engine = make_engine(settings)
    try:
        with transaction(engine) as session:
            seal_again(session, settings)
    finally:
        engine.dispose()


def _new_prefect(_: Environment, __: bool) -> Values:
    return {file_of("prefect_password"): secrets.token_hex(BYTES)}


# --- the key of backups ---


def _new_backup_key(environment: Environment, _: bool) -> Values:
    """A new operational key. The old one stays to open what was encrypted to it, and is no recipient any more."""
    from pyrage import x25519

    from leitstand.backups import keys

    folder = environment.data_dir / "keys"
    settings = programs.settings_of(environment)
    before = keys.ensure_keys(settings).recipients
    old = {str(identity.to_public()) for identity in keys.identities_in(folder / keys.OPERATIONAL)}
    new = x25519.Identity.generate()
    recipients = [str(new.to_public()), *(one for one in before if one not in old)]
    retired = f"retired-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}.agekey"
    return {
        f"keys/{retired}": (folder / keys.OPERATIONAL).read_text(),
        f"keys/{keys.RECIPIENTS}": "\n".join(
            ["# age public keys that backups are encrypted to", *recipients, ""]
        ),
        f"keys/{keys.OPERATIONAL}": f"{new}\n",
    }


UNITS = (
    Unit(
        "database",
        "Password of PostgreSQL's roles postgres and leitstand",
        "services start again, a few seconds",
        ("database_password",),
        (*OURS, PREFECT),
        _new_password,
        accept=_accept_password,
        given="database_url_override",
    ),
    Unit(
        "objects",
        "Access key and secret key of the object store",
        "services start again, a few seconds; both pairs are accepted meanwhile",
        ("s3_access_key", "s3_secret_key"),
        OURS,
        _new_pair,
        accept=_accept_pair,
        retire=_retire_pair,
        given="s3_endpoint",
    ),
    Unit(
        "objects-inner",
        "Signing keys and certificate between the parts of the object store",
        "the object store starts again, a few seconds without it",
        (),
        (OBJECTS,),
        _new_inner,
        given="s3_endpoint",
    ),
    Unit(
        "session",
        "Key that signs forms, dashboards and the links that end a subscription",
        "nobody is signed out; if it was leaked, open forms must be loaded again and links in old mails are dead",
        ("session_secret", "session_secret_previous"),
        OURS,
        _new_signer,
    ),
    Unit(
        "sealing",
        "Key that seals one-time codes' and integrations' secrets in the database",
        "nothing; what is in the database is sealed again with the new key",
        ("secrets_key", "secrets_key_previous"),
        OURS,
        _new_sealer,
        retire=_seal_again,
    ),
    Unit(
        "prefect",
        "Password between our services and Prefect",
        "Prefect and its worker start again; a flow that runs now ends as crashed",
        ("prefect_password",),
        (*OURS, PREFECT, PROXY),
        _new_prefect,
    ),
    Unit(
        "backup-key",
        "Operational age key, to which backups are encrypted",
        "the old key stays here to open older backups; new ones are not encrypted to it",
        (),
        (),
        _new_backup_key,
        given="backup_recipients",
    ),
)
BY_NAME = {unit.name: unit for unit in UNITS}
