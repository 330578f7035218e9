"""Increments in retention, in the commands and in the store, with real backups."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leitstand.backups import actions, entries, pins
from leitstand.backups.operations import public, run_backup
from leitstand.backups.pruning import propose, prune
from leitstand.backups.reconciling import reconcile
from leitstand.backups.restore import restore_postgres
from leitstand.db.engine import transaction
from leitstand.db.models import Backup
from leitstand.identity.access import system_principal
from tests.integration.backups.test_commands import leitstand
from tests.integration.backups.test_old_backups import aged
from tests.integration.backups.test_postgres import recovered, slugs
from tests.source import Source

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.long
def test_an_increment_that_stays_keeps_its_parent_and_they_go_in_order(
    source: Source, tmp_path: Path
) -> None:
    taken = []
    for number, level in enumerate(("full", "incremental", "full", "incremental")):
        source.add_workspace(f"night-{number}")
        taken.append(run_backup(source.engine, source.settings, "postgres", level=level))
    aged(source, taken[0].id, days_since(9))
    old = aged(source, taken[1].id, days_since(10), kept=True)
    aged(source, taken[2].id, days_since(11))  # stands for the day, so that those before are not needed
    confirmed(source)
    assert [row(source, one.id).status for one in taken] == ["complete"] * 4, (
        "the parent of what is kept stays"
    )
    cluster = recovered(
        restore_postgres(source.settings, target=tmp_path / "old", manifest=entries.document(old)).target
    )
    try:
        assert {"night-0", "night-1"} <= slugs(cluster)
    finally:
        cluster.stop("immediate")
    for mark in source.storage.list(source.settings.bucket_backups, pins.PINS):
        source.storage.delete(source.settings.bucket_backups, mark.key)  # a day later
    with transaction(source.engine) as session:
        principal = system_principal(source.one("SELECT id FROM workspace LIMIT 1"), "test")  # type: ignore[arg-type]
        actions.keep(session, source.settings, old.id, kept=False, principal=principal)
        removed = [one.id for one in propose(session, source.settings).plan.removed]
    assert removed == [str(old.id), str(taken[0].id)], "increments before their parents"
    confirmed(source)
    assert [row(source, one.id).status for one in taken] == ["removed", "removed", "complete", "complete"]


def days_since(hour: int) -> float:
    """Days since that hour of the day 41 days ago."""
    day = datetime.now(UTC) - timedelta(days=41)
    return (datetime.now(UTC) - day.replace(hour=hour, minute=0)) / timedelta(days=1)


def confirmed(source: Source) -> None:
    with transaction(source.engine) as session:
        seen = propose(session, source.settings).plan.sha256
    prune(source.engine, source.settings, confirmed=seen)


def row(source: Source, backup_id: object) -> Backup:
    with transaction(source.engine) as session:
        return session.get_one(Backup, backup_id)


def test_the_catalogue_beside_the_backups_keeps_who_is_whose_parent(source: Source) -> None:
    """Also of an increment whose parent the database does not know when it takes the increment up."""
    parent = run_backup(source.engine, source.settings, "postgres", level="full")
    child = run_backup(source.engine, source.settings, "postgres", level="incremental")
    bucket = source.settings.bucket_backups
    with transaction(source.engine) as session:
        session.delete(session.get_one(Backup, child.id))
        session.flush()
        session.delete(session.get_one(Backup, parent.id))
    reconcile(source.engine, source.storage, bucket, "postgres")
    assert row(source, child.id).parent_id == parent.id
    lonely = row(source, child.id)
    lonely.parent_id = None
    assert entries.document(lonely)["parent_id"] == str(parent.id)


def test_the_commands_say_the_level(source: Source) -> None:
    done = leitstand(source, "backup", "run", "postgres", "--full", "--json")
    (full,) = json.loads(done.stdout)["backups"]
    (increment,) = json.loads(
        leitstand(source, "backup", "run", "--incremental", "postgres", "--json").stdout
    )["backups"]
    assert (full["level"], full["level_reason"]) == ("full", "asked for")
    assert (increment["level"], increment["parent_id"]) == ("incremental", full["id"])
    assert "incremental" in leitstand(source, "backup", "list").stdout
    shown = json.loads(leitstand(source, "backup", "show", increment["id"]).stdout)
    assert shown["manifest"]["parent_id"] == full["id"]
    refused = leitstand(source, "backup", "run", "secrets", "--full")
    assert refused.returncode == 2 and "for postgres alone" in refused.stderr
    assert public(row(source, increment["id"]))["level"] == "incremental"
    assert datetime.fromisoformat(shown["recovery_window"]["from"]) <= datetime.now(UTC)
