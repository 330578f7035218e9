"""What a rotation leaves behind for people: an audit entry in every workspace, and a backup of the new secrets."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from leitstand.embedded import programs
from leitstand.embedded.environment import Environment

if TYPE_CHECKING:
    from leitstand.embedded.rotation_proof import Proof

ACTION = "secrets.rotate"


def record(
    environment: Environment,
    names: Sequence[str],
    *,
    actor: str,
    leaked: bool,
    proofs: "Sequence[Proof]" = (),
) -> None:
    """Note in the audit log of every workspace what was rotated, never a value."""
    from leitstand.db.engine import make_engine, transaction
    from leitstand.identity.audit import record_for_all

    after: dict[str, Any] = {"rotated": list(names), "leaked": leaked}
    if proofs:
        after["proven"] = {proof.name: proof.ok for proof in proofs}
    engine = make_engine(programs.settings_of(environment))
    try:
        with transaction(engine) as session:
            record_for_all(session, actor=actor, action=ACTION, target="environment", after=after)
    finally:
        engine.dispose()


def back_up(environment: Environment) -> str:
    """Back up the secrets where they have changed; the id of the backup, empty where there was nothing to do."""
    from leitstand.backups.secret_backups import back_up_secrets
    from leitstand.db.engine import make_engine

    settings = programs.settings_of(environment)
    engine = make_engine(settings, statement_timeout_ms=0, application="leitstand-secrets")
    try:
        taken = back_up_secrets(engine, settings, only_changed=True)
    finally:
        engine.dispose()
    return str(taken.id) if taken else ""
