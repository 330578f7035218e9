"""A workspace with one of everything, and its owner."""

from collections.abc import Iterator

import pytest

from api import app as programs
from leitstand.catalogue.companions import ensure_companion
from leitstand.embedded.postgres import Cluster
from leitstand.settings import get_settings
from leitstand.storage.objects import ObjectStorage
from tests.integration.naughty.talking import Talk, talking
from tests.integration.permissions.world import made
from tests.services import cloned_database
from web import app as web


@pytest.fixture(scope="module")
def pages(cluster: Cluster, services: dict[str, object]) -> Iterator[Talk]:
    """With the pages."""
    with cloned_database(cluster, services), made(web, "", web.create) as world, talking(world) as talk:
        yield talk


@pytest.fixture(scope="module")
def api(cluster: Cluster, services: dict[str, object]) -> Iterator[Talk]:
    """With the API."""
    with (
        cloned_database(cluster, services),
        made(programs, programs.PREFIX, programs.create) as world,
    ):
        ObjectStorage(get_settings()).ensure_buckets()
        ensure_companion(world.session, workspace_id=world.here.workspace.id, key="shop")
        world.session.commit()
        with talking(world) as talk:
            yield talk
