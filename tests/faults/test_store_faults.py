"""Faults of the store of backups and of the way to it: its clock, its checksums, its rules, its archive of the log."""

import itertools
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.errors import AdminShutdown
from sqlalchemy import text

from leitstand.backups import keys, wal
from leitstand.backups.archived_log import missing_log, segments_since
from leitstand.backups.catalogue import list_backups
from leitstand.backups.engines.interface import FULL
from leitstand.backups.metrics import BackupsCollector
from leitstand.backups.operations import run_backup, verify_backup
from leitstand.backups.restore import refuse_removed_log, restore_postgres
from leitstand.backups.server_commands import archive_command
from leitstand.backups.watching import watch_log
from leitstand.db.engine import transaction
from leitstand.db.models import Backup
from leitstand.errors import IntegrityFailed, PreconditionFailed, Unavailable
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.storage.retries import ClockSkewed
from tests.faults.answering_proxy import AnsweringProxy, OldStoreProxy, SkewedProxy
from tests.faults.conftest import fill
from tests.source import Source

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SOON, LATER = timedelta(minutes=6), timedelta(minutes=20)


@pytest.fixture(scope="module")
def good(source: Source) -> Backup:
    """A backup that is proven: nothing of it may be lost."""
    backup = run_backup(source.engine, source.settings, "postgres")
    with transaction(source.engine) as session:
        session.get_one(Backup, backup.id).verified_at = backup.finished_at
    return backup


@pytest.fixture(autouse=True)
def nothing_proven_is_lost(source: Source, good: Backup) -> Iterator[None]:
    """Every object of it is there afterwards, and it is still called complete."""
    bucket = source.settings.bucket_backups
    yield
    with transaction(source.engine) as session:
        row = session.get_one(Backup, good.id)
    assert (row.status, row.verified_at) == ("complete", good.finished_at)
    stored = {info.key for info in source.storage.list(bucket)}
    assert {part["key"] for part in row.manifest["parts"]} <= stored


@contextmanager
def through(source: Source, proxy: AnsweringProxy) -> Iterator[Settings]:
    """Settings whose store lies behind the proxy."""
    with proxy:
        yield source.settings.model_copy(update={"s3_endpoint": proxy.url})


def port_of(source: Source) -> int:
    return urlsplit(source.settings.s3_url).port or 0


@pytest.mark.fault(17)
def test_a_clock_that_differs_is_named_and_nothing_is_done_by_it(source: Source) -> None:
    """Our clock is an hour behind the store's; HEAD is refused without a word, GET with one."""
    skewed = SkewedProxy(port_of(source), ahead=3600)
    with through(source, skewed) as settings:
        with pytest.raises(ClockSkewed, match=r"clock is 3[56]\d\d s behind the store's") as raised:
            run_backup(source.engine, settings, "postgres")
        assert "timedatectl" in raised.value.hint
        with pytest.raises(ClockSkewed, match="behind the store's"):
            ObjectStorage(settings).get_bytes(settings.bucket_backups, "catalogue/any")
        assert "behind the store's" in source.conditions(settings=settings)["clock-skew"]
        skewed.ahead = -600
        # The store tells whole seconds, and an answer takes a moment.
        ahead = re.search(r"(\d+) s ahead of", source.conditions(settings=settings)["clock-skew"])
        assert ahead and 595 <= int(ahead[1]) <= 605, "before it refuses"
    assert "clock-skew" not in source.conditions()
    assert run_backup(source.engine, source.settings, "secrets").status == "complete"


@pytest.mark.fault(13)
def test_a_store_that_rejects_newer_checksums_takes_a_backup_and_gives_it_back(source: Source) -> None:
    """The probe says what it rejects; nothing that Leitstand sends bears it."""
    old = OldStoreProxy(port_of(source))
    with through(source, old) as settings:
        backup = run_backup(source.engine, settings, "postgres")
        assert verify_backup(source.engine, settings, backup.id).manifest["verification"]["ok"]
        assert old.refused == 0
        findings = {finding.name: finding for finding in ObjectStorage(settings).probe().findings}
        assert old.refused > 0 and not findings["checksums"].works and not findings["checksums"].needed
        assert "NotImplemented" in findings["checksums"].detail
        assert "store-failing" not in source.conditions(settings=settings)


@pytest.mark.fault(13)
def test_a_store_that_rejects_what_is_needed_is_told_and_the_next_backup_is_whole(source: Source) -> None:
    old = AnsweringProxy(port_of(source), method="PUT", passing=0, status=501)
    with through(source, old) as settings, pytest.raises(Unavailable, match="NotImplemented"):
        run_backup(source.engine, settings, "postgres")
    told = source.conditions(later=SOON)
    assert "NotImplemented" in told["backup-failed"]
    assert run_backup(source.engine, source.settings, "postgres").status == "complete"
    assert "backup-failed" not in source.conditions(later=SOON)


@pytest.mark.fault(11)
def test_a_lifecycle_rule_is_told_and_what_it_removed_is_mended_by_a_new_backup(source: Source) -> None:
    """The rule's work is done by hand at once: a store takes a day for it."""
    bucket = source.settings.bucket_backups
    rule = {
        "ID": "tidy-up",
        "Status": "Enabled",
        "Filter": {"Prefix": "postgres/"},
        "Expiration": {"Days": 1},
    }
    source.storage.client.put_bucket_lifecycle_configuration(
        Bucket=bucket,
        LifecycleConfiguration={"Rules": [rule]},  # type: ignore[typeddict-item]
    )
    assert "The rule tidy-up of" in source.conditions()["lifecycle-rule"]
    gap = _lose_a_segment(source)
    found = watch_log(source.engine, source.settings)
    assert (found.gap, gap in found.says, "was taken at once" in found.says) == (gap, True, True)
    source.storage.client.delete_bucket_lifecycle(Bucket=bucket)
    assert "lifecycle-rule" not in source.conditions()
    assert watch_log(source.engine, source.settings).gap == ""
    assert verify_backup(source.engine, source.settings, found.taken).manifest["verification"]["ok"]


@pytest.mark.fault(5, 6)
def test_log_that_was_dropped_has_a_full_backup_taken_at_once(source: Source) -> None:
    """The backup before the hole is told to be incomplete, and a restore past the hole is refused at once."""
    gap = _lose_a_segment(source)
    with transaction(source.engine) as session:
        cut_off = list_backups(session, kind="postgres", limit=1)[0]
    with pytest.raises(IntegrityFailed, match=gap):
        verify_backup(source.engine, source.settings, cut_off.id)
    assert gap in source.conditions()["backup-damaged"]
    with pytest.raises(PreconditionFailed, match=f"lacks {gap}"):
        refuse_removed_log(source.storage, cut_off.manifest, datetime.now(UTC) + timedelta(hours=1))
    found = watch_log(source.engine, source.settings)
    with transaction(source.engine) as session:
        taken = session.get_one(Backup, found.taken)
    assert (found.gap, taken.status, taken.parent_id) == (gap, "complete", None)
    assert watch_log(source.engine, source.settings).gap == "", "nothing more is to do"
    assert "backup-damaged" not in source.conditions()


def _lose_a_segment(source: Source) -> str:
    """Delete one from the middle of what was archived since a fresh backup; gives its name."""
    backup = run_backup(source.engine, source.settings, "postgres")
    bucket, identifier = source.settings.bucket_backups, backup.manifest["system_identifier"]
    for _ in range(3):
        source.execute("SELECT pg_logical_emit_message(false, 'test', 'x')")
        source.archive_now()
    lost = segments_since(source.storage, backup.manifest)[-2].name
    source.storage.delete(bucket, wal.key(identifier, lost))
    return lost


# Segments of the log that the archiver has still to take.
WAITING = "pg_ls_archive_statusdir() WHERE name LIKE '%.ready'"


@pytest.mark.fault(6)
def test_postgresql_goes_on_while_the_archive_is_down_and_catches_up(source: Source, good: Backup) -> None:
    """The queue of log segments grows, commits go on, that is told with its reason, and afterwards there is no gap."""
    backup = run_backup(source.engine, source.settings, "postgres")
    down = source.settings.model_copy(update={"s3_endpoint": "http://127.0.0.1:9"})
    _set_archive_command(source, archive_command(down))
    failed_before = source.one("SELECT failed_count FROM pg_stat_archiver")
    _fill_log_until(source, f"SELECT failed_count > {failed_before} FROM pg_stat_archiver")
    source.add_workspace("still-writing")
    assert source.one(f"SELECT count(*) >= 2 FROM {WAITING}")
    told = source.conditions(later=LATER)
    assert "does not answer" in told["archive-failing"] and "files wait" in told["archive-failing"]
    assert "wait to be archived, the oldest since" in told["archive-late"]
    assert "does not answer" in source.conditions(settings=down)["store-failing"]
    figures = _archive_figures(source)
    assert figures["leitstand_archive_lag_seconds"] > 0
    assert figures["leitstand_archive_waiting_files"] >= 2
    assert figures["leitstand_archive_failures_total"] > failed_before
    _set_archive_command(source, archive_command(source.settings))
    source.archive_now()
    assert missing_log(source.storage, source.settings.bucket_backups, backup.manifest) == ""
    assert source.one(f"SELECT count(*) = 0 FROM {WAITING}")
    assert not {"archive-failing", "archive-late", "store-failing"} & source.conditions(later=LATER).keys()
    assert _archive_figures(source)["leitstand_archive_lag_seconds"] == 0


def _archive_figures(source: Source) -> dict[str, float]:
    families = BackupsCollector(source.engine, source.settings).collect()
    samples = [sample for family in families for sample in family.samples]
    return {sample.name: sample.value for sample in samples if "archive" in sample.name}


def _set_archive_command(source: Source, command: str) -> None:
    quoted = command.replace("'", "''")
    source.execute(f"ALTER SYSTEM SET archive_command = '{quoted}'")
    source.execute("SELECT pg_reload_conf()")


def _fill_log_until(source: Source, query: str) -> None:
    """Keep three segments waiting: those before the archiver has taken up its new command are archived by the old one."""
    deadline = time.monotonic() + 120
    for number in itertools.count():
        if source.one(query) and source.one(f"SELECT count(*) >= 2 FROM {WAITING}"):
            return
        assert time.monotonic() < deadline, query
        if source.one(f"SELECT count(*) < 3 FROM {WAITING}"):
            source.add_workspace(f"while-down-{number}")
            source.execute("SELECT pg_switch_wal()")
        time.sleep(0.2)


@pytest.mark.fault(7)
def test_a_clone_that_writes_into_the_archive_destroys_nothing_and_is_told(source: Source) -> None:
    """It was first with the next segment: the source's own is refused, kept by PostgreSQL, and the reason is told."""
    bucket = source.settings.bucket_backups
    identifier = str(source.one("SELECT system_identifier FROM pg_control_system()"))
    source.archive_now()
    name = wal.next_segment(str(source.one("SELECT last_archived_wal FROM pg_stat_archiver")))
    key = wal.key(identifier, name)
    source.storage.put_bytes(bucket, key, b"another history", metadata={"content-sha256": "0" * 64})
    source.execute("SELECT pg_logical_emit_message(false, 'test', 'x')")
    source.execute("SELECT pg_switch_wal()")
    deadline = time.monotonic() + 60
    while "archive-failing" not in (told := source.conditions()):
        assert time.monotonic() < deadline, told
        time.sleep(0.2)
    assert f"has another {key}" in told["archive-failing"]
    assert "Another server writes into this archive" in told["archive-failing"]
    assert source.storage.get_bytes(bucket, key) == b"another history", "nothing is replaced"
    source.storage.delete(bucket, key)
    source.archive_now()
    assert "archive-failing" not in source.conditions()


@pytest.mark.fault(7)
def test_another_cluster_in_the_archive_is_told(source: Source) -> None:
    bucket, key = source.settings.bucket_backups, wal.key("7000000000000000001", "000000010000000000000001")
    source.storage.put_bytes(bucket, key, b"log of a stranger")
    assert "7000000000000000001" in source.conditions()["archive-stranger"]
    source.storage.delete(bucket, key)
    assert "archive-stranger" not in source.conditions()


@pytest.mark.fault(15)
def test_idle_connections_that_are_killed_are_not_noticed(source: Source) -> None:
    """Those of the pool, as a firewall or a restart kills them."""
    with source.engine.connect() as one, source.engine.connect() as two:
        one.execute(text("SELECT 1"))
        two.execute(text("SELECT 1"))
    with psycopg.connect(source.cluster.conninfo("leitstand"), autocommit=True) as admin:
        killed = admin.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE state = 'idle' AND usename = 'leitstand'"
        ).fetchone()
    assert killed and killed[0] >= 2
    source.add_workspace("after-the-kill")
    assert source.one("SELECT count(*) FROM workspace WHERE slug = 'after-the-kill'") == 1


@pytest.mark.fault(15)
def test_a_connection_killed_while_it_idles_in_a_transaction_loses_only_that_and_says_so(
    source: Source,
) -> None:
    with pytest.raises(Exception) as raised, source.engine.begin() as connection:
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
        connection.execute(text("INSERT INTO heartbeat (service, instance) VALUES ('half', 'half')"))
        source.execute(f"SELECT pg_terminate_backend({pid})")
        time.sleep(0.2)
        connection.execute(text("SELECT 1"))
    assert isinstance(getattr(raised.value, "orig", None), AdminShutdown | psycopg.OperationalError)
    assert source.one("SELECT count(*) FROM heartbeat WHERE service = 'half'") == 0
    source.add_workspace("after-the-loss")


@pytest.mark.fault(24)
def test_a_full_disk_fails_the_backup_in_words_and_the_next_succeeds(
    source: Source, small_disk: Path
) -> None:
    """A disk of its own for the work of backups, of the size that the test gives it, filled to the last byte."""
    settings = source.settings.model_copy(update={"data_dir": small_disk})
    keys.ensure_keys(settings)
    (settings.data_dir / "tmp" / "backups").mkdir(parents=True)
    ballast = small_disk / "ballast"
    fill(ballast)
    before = len(list(source.storage.list(settings.bucket_backups, "postgres/")))
    with pytest.raises(PreconditionFailed, match=r"disk of .* is full"):
        run_backup(source.engine, settings, "postgres")
    assert "is full" in source.conditions(later=SOON)["backup-failed"]
    assert "GB left" in source.conditions(settings=settings)["disk-full"]
    ballast.unlink()
    taken = run_backup(source.engine, settings, "postgres", level=FULL)
    assert taken.status == "complete"
    with pytest.raises(PreconditionFailed, match=r"The restore needs .* GB and"):
        restore_postgres(settings, target=small_disk / "restored", manifest=taken.manifest)
    fill(ballast)
    with pytest.raises(PreconditionFailed, match=r"disk of .* is full"):
        verify_backup(source.engine, settings, taken.id)
    assert list((small_disk / "scratch").iterdir()) == []
    ballast.unlink()
    assert verify_backup(source.engine, settings, taken.id).manifest["verification"]["ok"]
    assert len(list(source.storage.list(settings.bucket_backups, "postgres/"))) >= before
    assert "backup-failed" not in source.conditions(later=SOON)
