"""The chain of evidence: what was changed, taken away, reordered or put in is found; a restore does not fork it."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID

import pytest
from botocore.exceptions import ClientError
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from leitstand.db.engine import transaction
from leitstand.db.models import Drill, EvidenceLink
from leitstand.errors import IntegrityFailed
from leitstand.runbooks import chain, pending
from leitstand.runbooks.archiving import store
from leitstand.runbooks.audit import audit
from leitstand.runbooks.delivering import adopt_all, deliver
from leitstand.runbooks.library import RUNBOOKS, find
from leitstand.runbooks.pending import RUNBOOK, Pending
from leitstand.runbooks.running import note_of
from leitstand.runbooks.signing import sign
from tests.runbooks import NAME, Bench, bench

__all__ = ["bench"]


def left(bench: Bench, number: int = 0) -> Pending:
    """What a run of the bench leaves on its machine, without having run."""
    bench.write()
    notebook = find(bench.settings, RUNBOOKS, NAME)
    note = note_of(notebook, category=RUNBOOK, parameters={}, requested_by="anna")
    waiting = pending.begin(bench.settings, note)
    found = {"error": "", "checks": [], "figures": {"rto_seconds": 1.5, "number": number}, "steps": {}}
    record = {**note.to_dict(), "finished": datetime.now(UTC).isoformat(), **found}
    waiting.keep(record, notebook=f"notebook {number}".encode(), html=b"<p>page</p>")
    return waiting


@pytest.fixture
def runs(bench: Bench) -> list[UUID]:
    """Three runs in the chain, the second signed: links 1 to 4."""
    bench.storage.ensure_buckets()
    ids = []
    for number in range(3):
        waiting = left(bench, number)
        ids.append(waiting.note.run_id)
        assert deliver(bench.engine, bench.settings, waiting).waiting == ""
        if number == 1:
            with transaction(bench.engine) as session:
                sign(session, bench.settings, ids[-1], signer="berta", note="read")
    return ids


def problems(session: Session, bench: Bench) -> set[tuple[str, int]]:
    return {(problem.kind, problem.sequence) for problem in audit(session, bench.settings).problems}


def wrong(bench: Bench) -> set[tuple[str, int]]:
    with transaction(bench.engine) as session:
        return problems(session, bench)


def remove_for_good(bench: Bench, key: str) -> None:
    """Every version, as somebody could who has the right to pass by the lock."""
    bucket, client = bench.settings.bucket_evidence, bench.storage.client
    for info in list(bench.storage.list_history(bucket, key)):
        client.delete_object(
            Bucket=bucket, Key=info.key, VersionId=info.version, BypassGovernanceRetention=True
        )


def key_of_part(bench: Bench, run_id: UUID, part: str) -> str:
    with transaction(bench.engine) as session:
        link = chain.link_of_run(session, run_id)
    assert link is not None
    return str(link.content[part]).removeprefix(f"s3://{bench.settings.bucket_evidence}/")


SWAP = """
    UPDATE evidence_link SET sequence = 9 WHERE sequence = 1;
    UPDATE evidence_link SET sequence = 1 WHERE sequence = 2;
    UPDATE evidence_link SET sequence = 2 WHERE sequence = 9
"""
FORGED = (
    "INSERT INTO drill (id, kind, category, chain_sha256) VALUES (gen_random_uuid(), 'x', 'runbook', 'abc')"
)
NOTE = "UPDATE evidence_link SET content = jsonb_set(content, '{note}', '\"fine\"') WHERE sequence = 3"
# A link that calls itself one of before the chain was in the store, with hashes that fit.
OLD = """
    UPDATE evidence_link SET
        content = jsonb_build_object(
            'format', 1, 'notebook', content->'notebook', 'notebook_sha256', content->'notebook_sha256'
        ),
        sha256 = encode(sha256(convert_to(
            previous_sha256 || E'\\n' || (content->>'notebook_sha256') || E'\\n', 'UTF8'
        )), 'hex')
    WHERE sequence = 4;
    UPDATE drill SET chain_sha256 = (SELECT sha256 FROM evidence_link WHERE sequence = 4) WHERE id = '3'
"""
EMPTY = "UPDATE evidence_link SET content = '{}' WHERE sequence > 2"
# What somebody does in the database (1, 2 and 3 stand for the runs), and what has to be found at least.
IN_THE_DATABASE = (
    ("DELETE FROM drill WHERE id = '2'", {("missing", 2)}),
    ("DELETE FROM evidence_link WHERE sequence = 2", {("missing", 2), ("changed", 3)}),
    ("DELETE FROM evidence_link WHERE sequence = 4; DELETE FROM drill WHERE id = '3'", {("missing", 4)}),
    ("UPDATE drill SET status = 'failed', error = 'x' WHERE id = '1'", {("changed", 1)}),
    ("UPDATE drill SET requested_by = 'nobody' WHERE id = '3'", {("changed", 4)}),
    (NOTE, {("changed", 3)}),
    (SWAP, {("reordered", 1), ("reordered", 2)}),
    (FORGED, {("inserted", 0)}),
    (OLD, {("changed", 4)}),
    (EMPTY, {("changed", 3), ("changed", 4)}),
)


def test_what_was_done_in_the_database_is_found(bench: Bench, runs: list[UUID]) -> None:
    assert wrong(bench) == set()
    for statement, expected in IN_THE_DATABASE:
        done = statement
        for number, run_id in enumerate(runs, 1):
            done = done.replace(f"'{number}'", f"'{run_id}'")
        with transaction(bench.engine) as session:
            session.connection().exec_driver_sql(done)
            session.expire_all()
            assert problems(session, bench) >= expected, statement
            session.rollback()
    assert wrong(bench) == set(), "and nothing where nothing was done"


def test_what_was_done_in_the_store_is_found(bench: Bench, runs: list[UUID]) -> None:
    bucket, storage = bench.settings.bucket_evidence, bench.storage
    storage.put_bytes(bucket, "runbooks/2026/01/x/record.json", b"{}")
    expected = {("inserted", 0)}
    assert wrong(bench) == expected
    storage.put_bytes(bucket, key_of_part(bench, runs[0], "notebook"), b"another")
    expected.add(("changed", 1))
    assert wrong(bench) == expected
    storage.delete(bucket, key_of_part(bench, runs[2], "record"))
    expected.add(("missing", 4))
    assert wrong(bench) == expected
    storage.delete(bucket, chain.key_of(2))
    expected.add(("missing", 2))
    assert wrong(bench) == expected
    remove_for_good(bench, chain.key_of(2))
    assert wrong(bench) == expected, "the database has it still"
    storage.put_bytes(bucket, chain.key_of(3), b"{}")
    assert wrong(bench) == expected | {("changed", 3)}


def test_a_database_that_was_restored_to_an_earlier_time_goes_on_with_the_chain(
    bench: Bench, runs: list[UUID]
) -> None:
    with transaction(bench.engine) as session:
        session.execute(delete(EvidenceLink).where(EvidenceLink.sequence > 1))
        session.execute(delete(Drill).where(Drill.id != runs[0]))
    newest = left(bench, 9)
    delivered = deliver(bench.engine, bench.settings, newest)
    assert delivered.link is not None and delivered.link.sequence == 5
    assert wrong(bench) == set()
    with transaction(bench.engine) as session:
        back = session.get_one(Drill, runs[2])
        assert (back.status, back.rto_seconds, back.requested_by) == ("passed", 1.5, "anna")


def test_a_kill_between_store_and_commit_is_made_good(bench: Bench, runs: list[UUID]) -> None:
    waiting = left(bench)
    record = waiting.record
    assert record is not None
    content = store(waiting, record, bench.settings)
    with transaction(bench.engine) as session:
        chain.append(session, bench.settings, kind="run", run_id=waiting.note.run_id, content=content)
        session.rollback()
    assert wrong(bench) == {("missing", 5)}
    (taken,) = adopt_all(bench.engine, bench.settings)
    assert taken.waiting == "" and wrong(bench) == set()


def test_two_at_once_make_one_chain(bench: Bench) -> None:
    bench.storage.ensure_buckets()
    waiting = [left(bench, number) for number in range(6)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda one: deliver(bench.engine, bench.settings, one), waiting))
    # One that had to wait too long for the others is left for the next run.
    adopt_all(bench.engine, bench.settings)
    with transaction(bench.engine) as session:
        assert [link.sequence for link in chain.links(session)] == [1, 2, 3, 4, 5, 6]
        assert {link.run_id for link in chain.links(session)} == {UUID(one.folder.name) for one in waiting}
    assert wrong(bench) == set()


def test_another_chain_in_the_bucket_stops_new_links_and_loses_nothing(
    bench: Bench, runs: list[UUID]
) -> None:
    with transaction(bench.engine) as session:
        session.execute(delete(EvidenceLink).where(EvidenceLink.sequence > 1))
        session.execute(update(EvidenceLink).values(sha256="0" * 64))
    waiting = left(bench)
    delivered = deliver(bench.engine, bench.settings, waiting)
    assert delivered.stored and "does not follow" in delivered.waiting and waiting.record is not None
    with pytest.raises(IntegrityFailed), transaction(bench.engine) as session:
        chain.append(session, bench.settings, kind="run", run_id=waiting.note.run_id, content={})


def test_evidence_is_locked_where_the_store_can(bench: Bench, runs: list[UUID]) -> None:
    bucket, client = bench.settings.bucket_evidence, bench.storage.client
    for key in (key_of_part(bench, runs[0], "record"), key_of_part(bench, runs[0], "html"), chain.key_of(1)):
        head = client.head_object(Bucket=bucket, Key=key)
        assert head["ObjectLockMode"] == "GOVERNANCE"
        days = (head["ObjectLockRetainUntilDate"] - datetime.now(UTC)).days
        assert days in (399, 400)
        with pytest.raises(ClientError, match="AccessDenied"):
            client.delete_object(Bucket=bucket, Key=key, VersionId=head["VersionId"])
    lock = next(one for one in bench.storage.probe().findings if one.name == "evidence lock")
    assert lock.works and "on" in lock.detail


def test_a_bucket_without_a_lock_goes_on_without_and_says_so(bench: Bench) -> None:
    bench.storage.client.create_bucket(Bucket=bench.settings.bucket_evidence)
    bench.storage.ensure_buckets()
    delivered = deliver(bench.engine, bench.settings, left(bench))
    assert delivered.link is not None and "no object lock" in delivered.link.content["lock"]
    off = Bench(bench.settings.model_copy(update={"evidence_lock_days": 0}), bench.engine)
    delivered = deliver(off.engine, off.settings, left(off, 1))
    assert delivered.link is not None and "evidence_lock_days" in delivered.link.content["lock"]
    assert wrong(bench) == set()
    lock = next(one for one in bench.storage.probe().findings if one.name == "evidence lock")
    assert not lock.works and not lock.needed
    assert json.dumps(delivered.link.to_dict())
