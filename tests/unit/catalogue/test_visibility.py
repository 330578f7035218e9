"""Conditions that are kept must differ wherever what somebody sees does."""

from dataclasses import replace
from uuid import uuid4

import pytest

from leitstand.catalogue.visibility import visible, who
from leitstand.identity.access import ROLES, Principal

MEMBER = Principal(uuid4(), uuid4(), "Mia", "mia@example.test", "member", ROLES["member"])


@pytest.mark.parametrize(
    "other",
    [
        replace(MEMBER, workspace_id=uuid4()),
        replace(MEMBER, person_id=uuid4()),
        replace(MEMBER, person_id=None),
        replace(MEMBER, role="external", permissions=ROLES["external"]),
        replace(MEMBER, role="creator", permissions=ROLES["creator"]),
    ],
)
def test_nobody_gets_the_condition_of_somebody_who_sees_something_else(other: Principal) -> None:
    def asked(principal: Principal) -> tuple[str, list[object]]:
        compiled = visible(principal).compile()
        return str(compiled), list(compiled.params.values())

    assert who(other) != who(MEMBER)
    assert asked(other) != asked(MEMBER)
    assert visible(replace(MEMBER, name="Mia M.")) is visible(MEMBER)
