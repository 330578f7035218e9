"""The questions put to every route; each gives what was answered otherwise than the matrix says."""

from collections.abc import Iterable

from sqlalchemy import func, literal, select, union_all

from leitstand.db.models import Base
from leitstand.identity.access import PERMISSIONS, ROLES
from leitstand.identity.permission_matrix import Need, matrix
from tests.integration.permissions.asking import Answer, Wanted
from tests.integration.permissions.planting import own
from tests.integration.permissions.world import Route, Visitor, World, parameters

ALL = frozenset(PERMISSIONS)
# A role that is let in may still be told that: the password is asked for again,
CONFIRMED = {
    "/settings/profile/password", "/settings/profile/passkeys/options", "/settings/profile/two-step/begin",
    "/settings/profile/two-step/recovery-codes", "/settings/profile/two-step/off",
    # that the page with what went wrong is for others,
    "/operations/runbooks/runs/{run_id}/sign", "/operations/backups/retention",
}  # fmt: skip
# its own session has ended with this,
ENDING = {"/sign-out", "/settings/membership/leave", "/settings/membership/delete"}
# or there is nothing there: a file that was not made, a chain that has no link, something that was not begun.
NOTHING_THERE = (
    "/settings/profile/two-step", "/reports/{report_id}/report.", "/api/v1/reports/{report_id}/content",
    "/operations/drills/{drill_id}/evidence", "/operations/checks/runs/", "/operations/backups",
    "/api/v1/backups", "/api/v1/runbook-audit", "/join/", "/settings/billing/plan", "/api/v1/billing/plan",
    "/api/v1/items/transfer", "/api/v1/invitations", "/spaces/{item_id}/documents/{document_id}/file",
    "/api/v1/spaces/{space_id}/documents/{document_id}/file",
    "/conversations/{item_id}/attachments", "/api/v1/conversations/{item_id}/attachments",
)  # fmt: skip
# Their forms can't be read without what a test would have to make up: they say so before they look at the permission.
UNREADABLE = {
    "/collections/{item_id}/entries", "/boards/{item_id}/parts", "/spaces/{item_id}/documents",
    "/api/v1/backups/prune", "/api/v1/spaces/{space_id}/documents",
}  # fmt: skip
# Taking back what was never there is done already, whosever the id is: nothing is told and nothing changes.
HARMLESS = {"/favorites/{item_id}/remove", "/api/v1/favorites/{item_id}"}
# Of the installation, not of a workspace; or what an address is told by, not an id.
SHARED = {
    "backup_id", "drill_id", "run_id", "name", "number", "first", "second", "rest", "form", "verb", "token",
    "provider_id", "marks",
}  # fmt: skip
# Signed by the payment provider, or proven by the link in a mail (RFC 8058), not by a session.
NO_SESSION = {"/api/v1/billing/stripe", "/reports/unsubscribe/{token}"}


def needs(world: World) -> dict[Route, Need]:
    """What each of the application's routes needs."""
    whole = {route: need for rows in matrix().values() for route, need in rows.items()}
    return {route: whole[route] for route in world.routes}


def rows(world: World) -> dict[str, int]:
    """Table -> its number of rows."""
    counted = [
        select(literal(table.name), func.count()).select_from(table) for table in Base.metadata.sorted_tables
    ]
    world.session.rollback()
    return dict(world.session.execute(union_all(*counted)).tuples().all())


def refused(world: World, wanted: list[tuple[str, Route, Wanted]], *, only: int | None = None) -> list[str]:
    """Which of these were let in, or wrote anything; or were refused otherwise than with `only`."""
    before = rows(world)
    answers = world.ask([one for _, _, one in wanted])
    wrong = [
        f"{who}: {' '.join(route)}: {answer.status} {answer.location} {answer.wrote}"
        for (who, route, _), answer in zip(wanted, answers, strict=True)
        if not _out(route, answer) or (only is not None and answer.status != only)
    ]
    after = rows(world)
    more = [
        f"{name}: {count} rows, {before.get(name)} before"
        for name, count in after.items()
        if count != before.get(name)
    ]
    return wrong + more


def _out(route: Route, answer: Answer) -> bool:
    if route[1] in UNREADABLE and answer.status == 422:
        return True
    return answer.refused and not _wrote(answer)


def _wrote(answer: Answer) -> bool:
    """Whether it changed anything but the last sign of life of a session."""
    return any(not one.startswith("UPDATE user_session SET last_seen_at") for one in answer.wrote)


def let_in(world: World, wanted: list[tuple[str, Route, Wanted]]) -> list[str]:
    """Which of these were refused, or broke."""
    answers = world.ask([one for _, _, one in wanted])
    return [
        f"{who}: {' '.join(route)}: {answer.status} {answer.location}"
        for (who, route, _), answer in zip(wanted, answers, strict=True)
        if answer.status >= 500 or not _in(route, answer)
    ]


def _in(route: Route, answer: Answer) -> bool:
    path = route[1]
    return (
        not answer.refused
        or (answer.status == 404 and path.startswith(NOTHING_THERE))
        or (answer.status == 403 and path in CONFIRMED)
        or (answer.to_sign_in and path in ENDING)
    )


def lacking_one(world: World) -> list[tuple[str, Route, Wanted]]:
    """Every route asked for by roles that have everything but one of the permissions that it needs."""
    found = []
    for route, need in needs(world).items():
        whole = frozenset[str]().union(*need.choices)
        # Of several permissions each alone is taken away; where one of them is enough, all at once.
        without = [frozenset({name}) for name in sorted(whole)] if len(need.choices) == 1 else [whole]
        for names in without:
            role = "without " + " ".join(sorted(names))
            found.append((role, route, world.wanted(world.visitor(role, ALL - names), route)))
    return found


def briefly(world: World) -> list[tuple[str, Route, Wanted]]:
    """Every route once: by a role that lacks the last permission that it needs, else by nobody."""
    found = []
    for route, need in needs(world).items():
        if any(need.choices):
            last = need.text.removesuffix(", of members").split(" + ")[-1]
            names = frozenset(last.split(" or "))
            role = "without " + " ".join(sorted(names))
            found.append((role, route, world.wanted(world.visitor(role, ALL - names), route)))
        elif not need.anyone:
            found.append(("nobody", route, world.wanted(None, route)))
    return found


def exactly(world: World) -> list[tuple[str, Route, Wanted]]:
    """Every route that needs permissions, asked for by roles that have just these."""
    found = []
    for route, need in needs(world).items():
        if any(need.choices):
            for choice in need.choices:
                role = "only " + " ".join(sorted(choice))
                found.append((role, route, world.wanted(world.visitor(role, choice), route)))
    return found


def as_roles(world: World, *, held: bool, roles: Iterable[str] = ROLES) -> list[tuple[str, Route, Wanted]]:
    """Every route asked for by each of the built-in roles that it lets in (`held`), or that it does not."""
    return [
        (role, route, world.wanted(world.visitor(role), route))
        for route, need in needs(world).items()
        if not need.anyone
        for role in roles
        if need.holds(role, ROLES[role]) is held
    ]


def as_nobody(world: World) -> list[tuple[str, Route, Wanted]]:
    """Every route that is not for anyone, asked for without a session."""
    return [
        ("nobody", route, world.wanted(None, route))
        for route, need in needs(world).items()
        if not need.anyone
    ]


def foreign(world: World) -> list[tuple[str, Route, Wanted]]:
    """Every route with an id, asked for by the owner with one of another workspace in the place of each in turn."""
    owner = world.visitor("owner")
    theirs = world.there.ids | _of_another(world)
    found = []
    for route, need in needs(world).items():
        path = route[1]
        for name in parameters(path):
            if name in SHARED or need.anyone or path in HARMLESS:
                continue
            address = world.address(path, world.here.ids | owner.ids, theirs, name)
            found.append((f"{name} of another workspace", route, world.wanted(owner, route, address)))
    return found


def _of_another(world: World) -> dict[str, str]:
    ids = own(world.session, world.there.owner)
    world.session.commit()
    return ids


def without_token(world: World) -> list[tuple[str, Route, Wanted]]:
    """Every route that writes, asked for by the owner without the session's CSRF token, and from another site."""
    owner: Visitor = world.visitor("owner")
    found = []
    for route, need in needs(world).items():
        if route[0] in {"GET", "HEAD"} or route[1] in NO_SESSION:
            continue
        if not need.anyone:
            found.append(("no token", route, world.wanted(owner, route, headers=())))
        strange = (("sec-fetch-site", "cross-site"),)
        found.append(("another site", route, world.wanted(owner, route, headers=strange)))
    return found
