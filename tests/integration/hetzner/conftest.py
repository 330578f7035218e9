"""An environment to make, and the double in which to make it."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from leitstand.hetzner.cloud import Cloud
from leitstand.hetzner.description import FOLDER, Environment, Site, read_environment, read_site
from leitstand.hetzner.plan import Target
from tests.hetzner_double import TOKEN, Double, running


@pytest.fixture
def double() -> Iterator[Double]:
    """A project with nothing in it."""
    with running() as double:
        yield double


@pytest.fixture
def site() -> Site:
    """The installation of the example."""
    return read_site(FOLDER / "site.example.toml")


@pytest.fixture
def production(site: Site) -> Environment:
    """Production, as it is described."""
    return read_environment("production", site)


def target(double: Double, environment: Environment, site: Site) -> Target:
    """The environment in the double, without object storage; fresh eyes each time."""
    cloud = Cloud(SecretStr(TOKEN), double.url, pause_seconds=0.001)
    # The client's own pauses after a refusal begin at a second.
    cloud.client._client._retry_interval_func = lambda retries: 0.001
    return Target(environment, site, cloud, None)
