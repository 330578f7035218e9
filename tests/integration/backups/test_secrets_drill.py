"""The drill secrets-decrypt, as `leitstand drill run` runs it: proven with the offline key, nothing secret or left behind."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from leitstand.backups import keys, secret_copies
from leitstand.backups.catalogue import get_backup, last_proven
from leitstand.db.engine import transaction
from leitstand.runbooks.drills import DrillResult, run_drill
from tests.source import PASSWORD, Source

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
VALUE = "a-mail-password-of-the-drill-91"


@pytest.fixture(scope="module")
def result(source: Source) -> DrillResult:
    folder = source.settings.secrets_dir
    folder.mkdir(exist_ok=True)
    (folder / "leitstand_smtp_password").write_text(VALUE)
    return run_drill(source.engine, source.settings, "secrets-decrypt")


def verdicts(result: DrillResult) -> dict[str, str]:
    return {check["name"]: check["verdict"] for check in result.checks}


def evidence(source: Source, result: DrillResult) -> str:
    bodies = []
    for address in (result.notebook, result.html):
        place = urlsplit(address)
        bodies.append(source.storage.get_bytes(place.netloc, place.path.lstrip("/")).decode())
    return "\n".join(bodies)


def test_it_proves_the_backup_with_the_key_that_waits_here(source: Source, result: DrillResult) -> None:
    assert result.ok, result.error
    assert set(verdicts(result).values()) == {"passed"}
    assert {
        "the offline key opens it",
        "every secret of the inventory is there",
        "every value is the one that was backed up",
        "both places hold the same",
        "the restored credential opens the store",
        "clean-up",
    } <= set(verdicts(result))
    with transaction(source.engine) as session:
        backup = get_backup(session, str(result.backup_id))
        assert backup.kind == "secrets" and backup.verified_at is not None
        assert last_proven(session) is None, "it proves nothing of PostgreSQL"


def test_no_value_is_in_the_evidence_and_none_is_left(source: Source, result: DrillResult) -> None:
    text = evidence(source, result)
    assert "STILL LIES ON THIS MACHINE" in text
    assert VALUE not in text and PASSWORD not in text and "AGE-SECRET-KEY" not in text
    assert list((source.settings.data_dir / "scratch").iterdir()) == []


@pytest.mark.long
def test_the_offline_key_is_named_by_a_setting_once_it_has_left(
    source: Source, result: DrillResult, tmp_path: Path
) -> None:
    here = keys.keys_dir(source.settings) / keys.OFFLINE
    away = tmp_path / "stick.agekey"
    here.rename(away)
    try:
        plugged = source.settings.model_copy(update={"offline_key_file": str(away)})
        with_it = run_drill(source.engine, plugged, "secrets-decrypt")
        without = run_drill(source.engine, source.settings, "secrets-decrypt")
    finally:
        away.rename(here)
    assert with_it.ok and verdicts(with_it)["the offline key opens it"] == "passed"
    assert without.ok and verdicts(without)["the offline key opens it"] == "skipped", (
        "and says what is not proven"
    )


def test_a_key_that_is_no_recipient_proves_nothing(
    source: Source, result: DrillResult, tmp_path: Path
) -> None:
    from pyrage import x25519

    (tmp_path / "other.agekey").write_text(f"{x25519.Identity.generate()}\n")
    settings = source.settings.model_copy(update={"offline_key_file": str(tmp_path / "other.agekey")})
    other = run_drill(source.engine, settings, "secrets-decrypt")
    assert not other.ok and "the key is a recipient" in other.error
    assert list((source.settings.data_dir / "scratch").iterdir()) == []


def test_a_second_place_that_lost_its_copy_is_found(source: Source, result: DrillResult) -> None:
    copy = secret_copies.copy_of(source.settings, str(result.backup_id))
    assert copy is not None
    aside = copy.rename(copy.with_name("moved"))
    lost = run_drill(source.engine, source.settings, "secrets-decrypt")
    aside.rename(copy)
    assert not lost.ok and "the second place holds it" in lost.error
