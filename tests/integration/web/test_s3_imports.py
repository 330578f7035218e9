"""S3 imports as pages and through the API: set up, tested, run, tried again, and never shown their key."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.db.engine import get_engine
from leitstand.db.models import S3Import, S3ImportObject
from leitstand.identity.access import Principal
from leitstand.imports import taking
from leitstand.knowledge.spaces import create_space
from leitstand.settings import Settings, get_settings
from leitstand.storage.objects import ObjectStorage
from tests.people import Visitor

PAGE = "/settings/integrations/s3-imports"


def test_an_import_is_set_up_tested_run_and_removed(
    visitor: Visitor, session: Session, owner: Principal, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No import yet" in visitor.get(PAGE).text
    space = create_space(session, principal=owner, title="Handbooks <b>")
    session.commit()
    given = {
        "name": "Own <b>", "endpoint": settings.s3_url, "region": "us-east-1", "bucket": settings.bucket_media,
        "prefix": "pages/", "access_key": "test-access", "secret_key": "never-shown", "space_id": str(space.id),
        "every": "day",
    }  # fmt: skip
    refused = visitor.post(f"{PAGE}/new", **given)
    assert refused.status_code == 422 and "private network" in refused.text
    assert "never-shown" not in refused.text and 'value="Own &lt;b&gt;"' in refused.text
    monkeypatch.setenv("LEITSTAND_OUTGOING_PRIVATE_ADDRESSES_ALLOWED", "127.0.0.1")
    get_settings.cache_clear()
    assert visitor.post(f"{PAGE}/new", **given).status_code == 303
    assert visitor.post(f"{PAGE}/new", **given).status_code == 409
    found = session.scalars(select(S3Import)).one()
    here = f"{PAGE}/{found.id}"
    visitor.post(f"{here}/test")
    assert "refuses the key" in visitor.get(here).text
    assert "never-shown" not in visitor.get(here).text + visitor.get(f"{here}/edit").text
    assert visitor.post(f"{here}/edit", **(given | {"secret_key": "test-secret"})).status_code == 303
    storage = ObjectStorage(get_settings())
    storage.ensure_buckets()
    storage.put_bytes(found.bucket, "pages/a<b>.txt", b"one")
    storage.put_bytes(found.bucket, "pages/empty.txt", b"")
    visitor.post(f"{here}/test")
    assert visitor.post(f"{here}/run").status_code == 303 and visitor.post(f"{here}/run").status_code == 409
    assert "Waits for the queue worker" in visitor.get(f"{here}/state").text
    assert taking.run(get_engine(), storage, import_id=found.id) == ""
    shown = visitor.get(here).text
    assert "pages/a&lt;b&gt;.txt" in shown and "It is empty." in shown and "Every day" in shown
    assert "a&lt;b&gt;" not in visitor.get(f"{here}?status=failed").text
    assert visitor.get(f"{here}?status=odd").status_code == 422
    failed = session.scalars(select(S3ImportObject).where(S3ImportObject.status == "failed")).one()
    assert visitor.post(f"{here}/objects/{failed.id}/retry").status_code == 303
    assert visitor.post(f"{here}/retry").status_code == 303
    visitor.post(f"{here}/remove")
    assert "No import yet" in visitor.get(PAGE).text
