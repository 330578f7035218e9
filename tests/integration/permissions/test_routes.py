"""The pages and the API: every route by every role, against `leitstand/identity/permission_matrix.json`."""

from collections.abc import Iterator

import pytest

from api import app as api
from leitstand.embedded.postgres import Cluster
from leitstand.identity.access import EXTERNAL
from leitstand.identity.permission_matrix import matrix
from tests.integration.permissions import cases
from tests.integration.permissions.world import World, made
from tests.services import cloned_database
from web import app as web

# Name in the matrix -> the application, and the path that its routes stand under.
APPLICATIONS = {"web": (web, ""), "api": (api, api.PREFIX)}


@pytest.fixture(scope="module", params=APPLICATIONS)
def world(request: pytest.FixtureRequest, cluster: Cluster, services: dict[str, object]) -> Iterator[World]:
    module, prefix = APPLICATIONS[request.param]
    with cloned_database(cluster, services), made(module, prefix, module.create) as world:
        yield world


def test_every_route_is_in_the_matrix_and_nothing_else(world: World, request: pytest.FixtureRequest) -> None:
    assert set(world.routes) == set(matrix()[request.node.callspec.params["world"]])


def test_every_route_refuses_who_lacks_a_permission(world: World) -> None:
    assert cases.refused(world, cases.briefly(world)) == []


@pytest.mark.long
def test_nobody_is_let_in(world: World) -> None:
    assert cases.refused(world, cases.as_nobody(world)) == []


@pytest.mark.long
def test_a_role_that_lacks_just_one_permission_is_refused(world: World) -> None:
    assert cases.refused(world, cases.lacking_one(world)) == []


@pytest.mark.long
def test_somebody_from_outside_without_a_grant_is_refused(world: World) -> None:
    assert cases.refused(world, cases.as_roles(world, held=False, roles=[EXTERNAL])) == []


def test_another_workspaces_ids_are_not_found(world: World) -> None:
    assert cases.refused(world, cases.foreign(world), only=404) == []


@pytest.mark.long
def test_nothing_is_written_without_the_token_of_the_session(world: World) -> None:
    assert cases.refused(world, cases.without_token(world)) == []


@pytest.mark.long
def test_a_role_with_just_these_permissions_is_let_in(world: World) -> None:
    assert cases.let_in(world, cases.exactly(world)) == []


@pytest.mark.long
def test_each_built_in_role_is_refused_what_it_lacks(world: World) -> None:
    assert cases.refused(world, cases.as_roles(world, held=False)) == []


@pytest.mark.long
def test_each_built_in_role_is_let_in_where_it_may(world: World) -> None:
    assert cases.let_in(world, cases.as_roles(world, held=True)) == []
