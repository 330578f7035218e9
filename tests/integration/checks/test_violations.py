"""Every check can fail: each is violated on purpose, found, kept, told of, and shown without anybody's words."""

import psycopg
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leitstand.backups.conditions import SUITES_NAMED, conditions
from leitstand.checks.files import load
from leitstand.checks.history import last_of, of_suites
from leitstand.checks.references import ELSEWHERE, NOWHERE
from leitstand.checks.run import check_live
from leitstand.db.cluster import Cluster
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from tests.integration.checks.planting import plant_everything, plant_nonsense

# A space and a published flow of one workspace, and rows of another that point at them.
HERE, THERE, SPACE, FLOW = (
    f"uuid '00000000-0000-7000-8000-0000000000{number}'" for number in (10, 11, 12, 13)
)
ACROSS = [
    ("workspace", {"id": HERE, "name": "'Here'", "slug": "'here'"}),
    ("workspace", {"id": THERE, "name": "'There'", "slug": "'there'"}),
    ("item", {"id": SPACE, "workspace_id": THERE, "kind": "'space'"}),
    ("item", {"id": FLOW, "workspace_id": THERE, "kind": "'companion'"}),
    ("companion", {"item_id": FLOW}),
    ("companion_version", {"companion_id": FLOW, "number": "1"}),
    ("document", {"workspace_id": HERE, "space_id": SPACE, "title": "'Maria Musterfrau'"}),
    ("flow_run", {"workspace_id": HERE, "companion_id": FLOW, "version": "1"}),
]  # fmt: skip
# Of people: nothing of it may be kept or shown.
PRIVATE = ("Maria Musterfrau", "maria@example.test", "visitor-of-a-clinic")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_check_fails_on_what_it_is_for(
    engine: Engine, session: Session, settings: Settings, cluster: Cluster
) -> None:
    ObjectStorage(settings).ensure_buckets()
    checkpoint = load(settings.checks_dir)
    with psycopg.connect(cluster.conninfo(str(engine.url.database)), autocommit=True) as superuser:
        plant_everything(superuser, [suite.table for suite in checkpoint.suites])
        for table, values in ACROSS:
            plant_nonsense(superuser, table, **values)
        plant_nonsense(superuser, "person", email="'maria@example.test'", password_hash="'hash-of-maria'")
        plant_nonsense(superuser, "actor_bucket", actor_key="'visitor-of-a-clinic'")
    result = check_live(engine, settings)
    held = [check["name"] for check in result.results if check["success"]]
    undecided = [check["name"] for check in result.results if check["error"]]
    assert (held, undecided) == ([], [])
    unsaid = [it["name"] for it in result.results if not (it["unexpected"] and it["examples"])]
    assert unsaid == []
    assert _problems(result.results, "document-references") >= {
        ("space_id → item", ELSEWHERE), ("space_id → item", NOWHERE), ("workspace_id → workspace", NOWHERE),
    }  # fmt: skip
    assert ("companion_id, version → companion_version", ELSEWHERE) in _problems(
        result.results, "flow-run-references"
    )
    _assert_kept(session, settings, checkpoint.count)


def _problems(results: list[dict[str, object]], name: str) -> set[tuple[str, str]]:
    examples = next(check["examples"] for check in results if check["name"] == name)
    return {(one["reference"], one["problem"]) for one in examples}  # type: ignore[attr-defined]


def _assert_kept(session: Session, settings: Settings, count: int) -> None:
    rows = of_suites(session)
    assert sum(row.failed for row in rows.values()) == count
    (told,) = [it for it in conditions(session, settings) if it.name == "checks-failing"]
    assert f"and {len(rows) - SUITES_NAMED} more" in told.says
    found = last_of(session, "people")
    bucket, _, key = found["documents"].removeprefix("s3://").partition("/")
    page = ObjectStorage(settings).get_bytes(bucket, key, sha256=found["documents_sha256"]).decode()
    assert found["failed"] == 3 and "Not as they should be" in page
    said = page + "".join(str(row.result) for row in rows.values())
    assert [words for words in (*PRIVATE, "hash-of-maria") if words in said] == []
