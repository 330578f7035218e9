"""Faults of the secrets' backups: a key or a secret that is missing from it (19), and one printed in a cell (29)."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from leitstand.backups import keys, secret_copies, secret_opening
from leitstand.backups.catalogue import list_backups
from leitstand.backups.secret_backups import back_up_secrets
from leitstand.db.engine import transaction
from leitstand.errors import IntegrityFailed, PreconditionFailed
from leitstand.runbooks import documents
from leitstand.runbooks.archiving import without_secrets
from leitstand.runbooks.drills import run_drill
from tests.source import PASSWORD, Source

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.fault(19)
def test_a_secret_that_is_missing_is_no_backup_and_the_last_good_one_stays(source: Source) -> None:
    good = back_up_secrets(source.engine, source.settings)
    assert good is not None
    lost = source.settings.model_copy(update={"session_secret": SecretStr("")})
    with pytest.raises(PreconditionFailed, match="session_secret would not bring"):
        back_up_secrets(source.engine, lost)
    with transaction(source.engine) as session:
        newest = list_backups(session, kind="secrets")[0]
    assert newest.status == "failed"
    assert "session_secret" in source.conditions(later=timedelta(minutes=6))["backup-failed"]
    assert secret_opening.verify(source.settings)["backup_id"] == str(good.id)
    mended = back_up_secrets(source.engine, source.settings)
    assert mended is not None and mended.status == "complete"


@pytest.mark.fault(19)
def test_a_backup_that_lacks_a_key_is_found_by_verify_and_by_the_drill(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken by something that did not look: complete in the catalogue, and useless on the worst day."""
    with monkeypatch.context() as patch:
        patch.setattr("leitstand.backups.secret_files.NEEDED", ())
        lost = source.settings.model_copy(update={"session_secret": SecretStr("")})
        assert back_up_secrets(source.engine, lost) is not None
    with pytest.raises(IntegrityFailed, match="lacks secrets/leitstand_session_secret"):
        secret_opening.verify(source.settings)
    result = run_drill(source.engine, source.settings, "secrets-decrypt")
    assert not result.ok and "session_secret" in result.error
    assert "session_secret" in source.conditions(later=timedelta(minutes=6))["drill-failed"]
    assert back_up_secrets(source.engine, source.settings) is not None
    assert run_drill(source.engine, source.settings, "secrets-decrypt").ok
    assert "drill-failed" not in source.conditions(later=timedelta(minutes=6))


@pytest.mark.fault(19)
def test_without_the_key_it_says_which_way_out(source: Source, tmp_path: Path) -> None:
    taken = back_up_secrets(source.engine, source.settings)
    assert taken is not None
    bare = source.settings.model_copy(update={"data_dir": tmp_path})
    with pytest.raises(PreconditionFailed, match="No key that opens backups"):
        secret_opening.verify(bare)
    copy = secret_copies.copy_of(source.settings, str(taken.id))
    assert copy is not None
    keys.ensure_keys(bare)
    with pytest.raises(PreconditionFailed, match="None of the keys"):
        secret_opening.open_copy(copy, keys.identities(bare))


@pytest.mark.fault(29)
def test_a_secret_that_a_cell_prints_is_found_and_taken_out(source: Source) -> None:
    """Planted in each kind of output that a cell of the drill could have."""
    from nbformat.v4 import new_code_cell, new_notebook, new_output

    offline = (keys.keys_dir(source.settings) / keys.OFFLINE).read_text()
    shown = [
        new_output("stream", text=f"connected with {PASSWORD}\n"),  # type: ignore[no-untyped-call]
        new_output("execute_result", data={"text/html": f"<td>{PASSWORD}</td>"}, execution_count=1),  # type: ignore[no-untyped-call]
        new_output("error", ename="E", evalue=PASSWORD, traceback=[offline]),  # type: ignore[no-untyped-call]
    ]
    cells = [new_code_cell("drill.decrypt()", outputs=[output]) for output in shown]  # type: ignore[no-untyped-call]
    clean, found = without_secrets(new_notebook(cells=cells), source.settings)  # type: ignore[no-untyped-call]
    assert all(any(f"cell {number}" in one for one in found) for number in range(len(shown))), found
    text = documents.dumps(clean)
    assert PASSWORD not in text and "AGE-SECRET-KEY" not in text
