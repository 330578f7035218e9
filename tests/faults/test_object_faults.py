"""What goes wrong around copies of objects: a vanished source, cut downloads, a store that rejects, SIGKILL."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from leitstand.backups.catalogue import list_backups
from leitstand.backups.copy_journal import NAME
from leitstand.backups.inventory import DATA
from leitstand.backups.object_restore import Selection, execute_restore, plan_restore
from leitstand.backups.operations import run_backup, verify_backup
from leitstand.db.engine import transaction
from leitstand.db.models import Backup
from leitstand.errors import IntegrityFailed, PreconditionFailed, Unavailable
from leitstand.settings import REPOSITORY, Settings
from leitstand.storage import retries
from tests.integration.storage.proxy import CuttingProxy
from tests.source import Source

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ALL = Selection(everything=True)
LARGE = os.urandom(3_000_000)
CONTENTS = {**{f"documents/{number}": f"text {number}".encode() for number in range(8)}, "large": LARGE}


@pytest.fixture(scope="module")
def good(source: Source) -> Backup:
    """A complete copy of everything."""
    for key, content in CONTENTS.items():
        source.storage.put_bytes(source.settings.bucket_media, key, content)
    taken = run_backup(source.engine, source.settings, "objects")
    time.sleep(1.2)
    return taken


def newest(source: Source) -> Backup:
    with transaction(source.engine) as session:
        return list_backups(session, kind="objects")[0]


def media(source: Source) -> dict[str, bytes]:
    bucket = source.settings.bucket_media
    return {info.key: source.storage.get_bytes(bucket, info.key) for info in source.storage.list(bucket)}


def purge(source: Source) -> None:
    """Every object and every version of it, for good."""
    bucket = source.settings.bucket_media
    for info in list(source.storage.list_history(bucket)):
        source.storage.delete(bucket, info.key, version=info.version)


def restore_all(source: Source, settings: Settings, at: datetime) -> None:
    plan = plan_restore(settings, selection=ALL, to_time=at, target=settings.bucket_media)
    assert execute_restore(settings, plan).failed == {}


@contextmanager
def cut(source: Source, *, after: int, cuts: int) -> Iterator[Settings]:
    """Settings whose store breaks off."""
    port = urlsplit(source.settings.s3_url).port or 0
    with CuttingProxy(port, after=after, cuts=cuts) as proxy:
        yield source.settings.model_copy(update={"s3_endpoint": f"http://127.0.0.1:{proxy.port}"})


@pytest.mark.fault(18)
def test_a_source_that_is_gone_never_reaches_the_copies(source: Source, good: Backup) -> None:
    """Deleted for good, twice tried, and everything is there again."""
    at = datetime.now(UTC)
    stored = {info.key for info in source.storage.list(source.settings.bucket_backups, DATA)}
    purge(source)
    source.storage.client.delete_bucket(Bucket=source.settings.bucket_media)
    for _ in range(2):
        with pytest.raises(IntegrityFailed, match="is empty and its last backup has 9 objects"):
            run_backup(source.engine, source.settings, "objects")
        assert newest(source).status == "failed" and "is empty" in newest(source).error
    assert {info.key for info in source.storage.list(source.settings.bucket_backups, DATA)} == stored
    assert "is empty" in source.conditions(later=timedelta(minutes=6))["backup-failed"]
    restore_all(source, source.settings, at)
    assert media(source) == CONTENTS
    assert run_backup(source.engine, source.settings, "objects").status == "complete"


@pytest.mark.fault(14)
def test_a_download_cut_in_mid_object_goes_on(source: Source, good: Backup) -> None:
    """While copying and while restoring: the content is whole all the same."""
    source.storage.put_bytes(source.settings.bucket_media, "large", LARGE[::-1])
    with cut(source, after=1_000_000, cuts=2) as through:
        copied = run_backup(source.engine, through, "objects")
    assert verify_backup(source.engine, source.settings, copied.id).manifest["verification"]["ok"]
    time.sleep(1.2)
    at = datetime.now(UTC)
    purge(source)
    with cut(source, after=1_000_000, cuts=3) as through:
        restore_all(source, through, at)
    assert media(source)["large"] == LARGE[::-1]


@pytest.mark.fault(14)
def test_a_store_that_breaks_off_for_good_fails_and_the_next_recovers(
    source: Source, good: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "LONGEST_PAUSE", 0.01)
    source.storage.put_bytes(source.settings.bucket_media, "large", LARGE)
    with cut(source, after=150, cuts=10_000) as through, pytest.raises(Unavailable):
        run_backup(source.engine, through, "objects")
    assert "does not answer" in source.conditions(settings=through)["store-failing"]
    whole = run_backup(source.engine, source.settings, "objects")
    assert verify_backup(source.engine, source.settings, whole.id).manifest["verification"]["ok"]


@pytest.mark.parametrize(
    ("status", "code", "raised"),
    [(403, "AccessDenied", PreconditionFailed), (507, "InsufficientStorage", Unavailable)],
)
def test_a_second_store_that_rejects(
    source: Source,
    good: Backup,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    code: str,
    raised: type[Exception],
) -> None:
    monkeypatch.setattr(retries, "LONGEST_PAUSE", 0.01)
    with _rejecting(status, code) as endpoint:
        rejected = source.settings.model_copy(
            update={
                "copies_s3_endpoint": endpoint,
                "copies_s3_access_key": SecretStr("access"),
                "copies_s3_secret_key": SecretStr("a-secret-of-the-second-store"),
            }
        )
        with pytest.raises(raised, match=str(status)):
            run_backup(source.engine, rejected, "objects")
        assert newest(source).status == "failed" and str(status) in newest(source).error
        at = datetime.now(UTC)
        plan = plan_restore(rejected, selection=ALL, to_time=at, target=source.settings.bucket_media)
        assert plan.items, "what was copied before can be restored without the second store"
    assert run_backup(source.engine, source.settings, "objects").status == "complete"


@contextmanager
def _rejecting(status: int, code: str) -> Iterator[str]:
    """A store that answers every request with one error."""

    class Handler(BaseHTTPRequestHandler):
        def reject(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = reject  # noqa: N815 - the server's names

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


KILLED = """
import os, signal, sys
from datetime import datetime
from leitstand.backups import object_restore, operations
from leitstand.db.engine import make_engine
from leitstand.settings import load_settings
from leitstand.storage.objects import ObjectStorage

what, moment, at = sys.argv[1:]
settings, stored = load_settings(), 0
bucket = settings.bucket_backups if what == "copy" else settings.bucket_media
original = ObjectStorage.put_file

def put_file(storage, into, key, *rest, **named):
    global stored
    if into == bucket and moment == "before" and stored == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    answer = original(storage, into, key, *rest, **named)
    stored += into == bucket
    if into == bucket and moment == "after" and stored == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer

ObjectStorage.put_file = put_file
if what == "copy":
    operations.run_backup(make_engine(settings), settings, "objects")
else:
    plan = object_restore.plan_restore(
        settings, selection=object_restore.Selection(everything=True),
        to_time=datetime.fromisoformat(at), target=settings.bucket_media)
    object_restore.execute_restore(settings, plan)
"""
MOMENTS = ["before", pytest.param("after", marks=pytest.mark.long)]


def killed(source: Source, what: str, moment: str, at: str = "") -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, what, moment, at],
        cwd=REPOSITORY,
        env=source.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.fault(20)
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_in_mid_copy_the_next_goes_on(source: Source, good: Backup, moment: str) -> None:
    for number in range(8):
        content = f"{moment} {number}".encode()
        source.storage.put_bytes(source.settings.bucket_media, f"{moment}/{number}", content)
    killed(source, "copy", moment)
    dead = newest(source)
    journal = (source.settings.data_dir / "tmp" / NAME).read_text()
    done = [number for number in range(8) if f'"{moment}/{number}"' in journal]
    assert dead.status == "running" and len(done) == (4 if moment == "before" else 3)
    whole = run_backup(source.engine, source.settings, "objects")
    assert verify_backup(source.engine, source.settings, whole.id).manifest["verification"]["ok"]
    with transaction(source.engine) as session:
        assert session.get_one(Backup, dead.id).status == "failed"
    assert list((source.settings.data_dir / "tmp" / "backups").iterdir()) == []


@pytest.mark.fault(20)
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_in_mid_restore_the_next_goes_on(source: Source, good: Backup, moment: str) -> None:
    run_backup(source.engine, source.settings, "objects")
    time.sleep(1.2)
    expected, at = media(source), datetime.now(UTC)
    purge(source)
    killed(source, "restore", moment, at.isoformat())
    begun = media(source)
    assert len(begun) == 4 and begun.items() <= expected.items(), "what is there is whole"
    assert (source.settings.data_dir / "tmp" / "restore-objects").exists()
    plan = plan_restore(source.settings, selection=ALL, to_time=at, target=source.settings.bucket_media)
    assert len(plan.of("same")) == 4
    assert execute_restore(source.settings, plan).written == len(expected) - 4
    assert media(source) == expected
    assert not (source.settings.data_dir / "tmp" / "restore-objects").exists()
