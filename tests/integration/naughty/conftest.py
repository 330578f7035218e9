"""A workspace with one of everything, and its owner."""

from collections.abc import Iterator

import pytest

from leitstand.embedded.postgres import Cluster
from tests.integration.naughty.talking import Talk, talking
from tests.integration.permissions.world import made
from tests.services import cloned_database
from web import app as web


@pytest.fixture(scope="module")
def pages(cluster: Cluster, services: dict[str, object]) -> Iterator[Talk]:
    """With the pages."""
    with cloned_database(cluster, services), made(web, "", web.create) as world, talking(world) as talk:
        yield talk
