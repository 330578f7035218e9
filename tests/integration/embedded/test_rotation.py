"""Rotation of every secret: the old ones are refused, the new ones work, and it is planned, noted and backed up."""

import json

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from leitstand.backups import keys, secret_opening
from leitstand.backups.secret_backups import back_up_secrets, changed_since, newest_backup
from leitstand.db.models import OneTimeCode, Person
from leitstand.embedded import credentials, rotation, rotation_journal
from leitstand.embedded.rotation_units import BY_NAME, UNITS, pair_fits, password_fits
from leitstand.errors import Conflict, InvalidInput, PreconditionFailed
from leitstand.identity.sealing import is_current, open_sealed, seal
from leitstand.identity.secret import replaced_keys
from tests.rotating import Rotating

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def quiet(_: str) -> None:
    """Nobody watches."""


def test_every_secret_that_is_made_can_be_rotated() -> None:
    from leitstand.embedded.credentials import LEFT, NAMES

    rotated = [setting for unit in UNITS for setting in unit.settings]
    assert set(rotated) == {*NAMES, *LEFT} and len(rotated) == len(set(rotated))


def test_everything_is_rotated_by_the_command(rotating: Rotating) -> None:
    environment, before = rotating.environment, rotating.secrets()
    old_key = keys.ensure_keys(rotating.settings)
    engine = rotating.engine()
    first = back_up_secrets(engine, rotating.settings)
    engine.dispose()
    done = rotating.run(
        "-m", "leitstand", "secrets", "rotate", "--all", "--leaked", "--yes", "embedded", "--json"
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["ok"] and {one["name"] for one in document["proofs"]} == {
        "database",
        "objects",
        "session",
        "sealing",
        "prefect",
        "backup-key",
    }
    after = rotating.secrets()
    assert {name for name, value in before.items() if after[name] == value} == {
        f"leitstand_{name}" for name in credentials.LASTING
    }
    assert not any(
        value in done.stdout + done.stderr for value in {*before.values(), *after.values()} if value
    )
    assert not password_fits(environment, before["leitstand_database_password"])
    assert not pair_fits(environment, before["leitstand_s3_access_key"], before["leitstand_s3_secret_key"])
    assert password_fits(environment, after["leitstand_database_password"])
    assert rotation_journal.pending(environment) == {}
    assert first is not None and document["backup_id"] not in {"", str(first.id)}
    assert after["leitstand_session_secret_previous"] == ""
    now = keys.recipients_of(rotating.settings)
    assert now[0] != old_key.recipients[0] and now[1] == old_key.recipients[1]


def test_what_was_encrypted_to_the_old_key_still_opens_here(rotating: Rotating) -> None:
    engine = rotating.engine()
    before = back_up_secrets(engine, rotating.settings)
    rotate(rotating, "backup-key")
    newest = newest_backup(engine)
    engine.dispose()
    assert before and newest and newest.id != before.id
    assert newest.manifest["recipients"][0] != before.manifest["recipients"][0]
    for manifest in (before.manifest, newest.manifest):
        assert secret_opening.open_stored(rotating.settings, manifest, keys.identities(rotating.settings))
    operational = keys.identities_in(keys.keys_dir(rotating.settings) / keys.OPERATIONAL)
    with pytest.raises(PreconditionFailed, match="None of the keys"):
        secret_opening.open_stored(rotating.settings, before.manifest, operational)


def rotate(rotating: Rotating, *names: str, leaked: bool = False) -> rotation.Done:
    agreed = rotation.plan(rotating.environment, names, leaked=leaked)
    return rotation.carry_out(rotating.environment, agreed, actor="test", progress=quiet)


def test_it_is_noted_in_every_workspace_and_backed_up(rotating: Rotating) -> None:
    done = rotate(rotating, "prefect")
    engine = rotating.engine()
    with engine.connect() as connection:
        entry = connection.execute(
            text(
                "SELECT actor, after FROM audit_entry WHERE action = 'secrets.rotate' ORDER BY id DESC LIMIT 1"
            )
        ).one()
    assert (entry.actor, entry.after["rotated"]) == ("test", ["prefect"])
    newest = newest_backup(engine)
    assert newest and str(newest.id) == done.backup_id and changed_since(rotating.settings, newest) == []
    engine.dispose()


def test_the_key_that_was_replaced_stays_accepted_unless_it_leaked(rotating: Rotating) -> None:
    old = rotating.environment.secret("session_secret")
    rotate(rotating, "session")
    kept = replaced_keys(rotating.settings.session_secret_previous.get_secret_value())
    assert [key.decode() for _, key in kept] == [old]
    for _ in range(4):
        rotate(rotating, "session")
    assert len(replaced_keys(rotating.settings.session_secret_previous.get_secret_value())) == 3
    done = rotate(rotating, "session", leaked=True)
    assert "refused" in done.proofs[0].detail
    assert rotating.settings.session_secret_previous.get_secret_value() == ""


def test_what_is_sealed_is_sealed_again_and_the_earlier_key_still_opens_older_copies(
    rotating: Rotating,
) -> None:
    before, place = rotating.settings, "one_time_code.secret:{}"
    engine = rotating.engine()
    with Session(engine) as session, session.begin():
        person = Person(email="sealed@example.test", name="Sealed")
        session.add(person)
        session.flush()
        copy = seal("a secret", place=place.format(person.id), settings=before)
        session.add(OneTimeCode(person_id=person.id, secret=copy))
    done = rotate(rotating, "sealing", leaked=True)
    assert done.ok and "nothing in the database" in done.proofs[0].detail
    with Session(engine) as session:
        code = session.scalars(select(OneTimeCode)).one()
        assert code.secret != copy and is_current(code.secret, settings=rotating.settings)
        for sealed in (code.secret, copy):
            assert (
                open_sealed(sealed, place=place.format(code.person_id), settings=rotating.settings)
                == "a secret"
            )
    engine.dispose()


def test_a_dry_run_and_an_unconfirmed_one_change_nothing(rotating: Rotating) -> None:
    before = rotating.secrets()
    for arguments, code in (
        (["rotate", "--all", "--dry-run", "--json"], 0),
        (["rotate", "--json"], 0),
        (["rotate", "session"], 2),
        (["rotate", "session", "--yes", "production"], 2),
        (["rotate", "nothing", "--yes", "embedded"], 2),
    ):
        done = rotating.run("-m", "leitstand", "secrets", *arguments)
        assert done.returncode == code, done.stderr
    assert rotating.secrets() == before


def test_a_plan_that_is_out_of_date_is_refused(rotating: Rotating) -> None:
    agreed = rotation.plan(rotating.environment, ["session"])
    rotate(rotating, "session")
    with pytest.raises(Conflict, match="plan"):
        rotation.rotate(rotating.environment, agreed, progress=quiet)
    with pytest.raises(InvalidInput, match="nothing to rotate"):
        rotation.plan(rotating.environment, ["nothing"])


def test_what_is_set_elsewhere_is_said_and_left_alone(
    rotating: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEITSTAND_PREFECT_PASSWORD", "from-a-container-engine")
    monkeypatch.setenv("LEITSTAND_BACKUP_RECIPIENTS", " ".join(keys.recipients_of(rotating.settings)))
    agreed = rotation.plan(rotating.environment)
    said = {step.name: step.effect for step in agreed.steps if step.what == rotation.ELSEWHERE}
    assert set(said) == {"prefect", "backup-key"} and "LEITSTAND_PREFECT_PASSWORD" in said["prefect"]
    assert set(agreed.names) == set(BY_NAME) - set(said)
