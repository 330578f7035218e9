"""Going: somebody is removed, leaves by themselves, or deletes their account; what becomes of what they made."""

import re
from uuid import UUID

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from leitstand.catalogue.ownership import abandon, give_all
from leitstand.catalogue.trash import purge_conversations
from leitstand.db.models import Favorite, Invitation, Item, ItemGrant, Membership, Person, Recent, Thread
from leitstand.db.row_security import beyond
from leitstand.errors import Forbidden, InvalidInput
from leitstand.identity import audit
from leitstand.identity.access import Principal, require, require_person
from leitstand.identity.confirming import confirm_oneself
from leitstand.identity.members import get_member, require_another_owner, require_over, shut_out
from leitstand.identity.roles import OWNER

PSEUDONYM = "deleted person {}"
# Every place of the log where the e-mail stands, as text of JSON too: rows stay, who they name goes.
ANONYMISE = text("""
    UPDATE audit_entry SET
        actor = regexp_replace(actor, :acting, :between, 'g'),
        before = CAST(replace(replace(CAST(before AS text), :quoted, :as_text), :named, :renamed) AS jsonb),
        after = CAST(replace(replace(CAST(after AS text), :quoted, :as_text), :named, :renamed) AS jsonb)
    WHERE actor ~ :acting OR target = :target
        OR strpos(CAST(before AS text), :quoted) > 0 OR strpos(CAST(after AS text), :quoted) > 0
""")
QUOTED = text("SELECT CAST(to_jsonb(CAST(:value AS text)) AS text)")


def remove_member(session: Session, *, principal: Principal, person_id: UUID, to: UUID | None = None) -> None:
    """Take a person's place away, with their sessions, tokens, grants and groups here.

    Args:
        to: the member who owns their items from now on; None: private and shared ones go to the trash, the others
            stay without an owner.

    Raises:
        Forbidden: without `member:manage`, or they may more than the principal.
        NotFound: there is no such person.
        Conflict: they are the last owner.
        InvalidInput: it is the principal, or the heir can't own items.
    """
    require(principal, "member:manage")
    if person_id == principal.person_id:
        raise InvalidInput("You can't remove yourself.", hint="Leave the workspace instead.")
    member = get_member(session, principal=principal, person_id=person_id)
    require_over(principal, member)
    _go(session, principal, principal.workspace_id, member.place, to, "member.remove")


def leave(session: Session, *, principal: Principal, to: UUID | None = None) -> None:
    """Give one's own place in the workspace up; see `remove_member`.

    Raises:
        Forbidden: a token asks, or an owner who acts as them.
        Conflict: the last owner stays.
        InvalidInput: the heir can't own items.
    """
    require_person(principal)
    if principal.person_id is None:
        raise Forbidden("Only a person leaves.")
    member = get_member(session, principal=principal, person_id=principal.person_id)
    _go(session, principal, principal.workspace_id, member.place, to, "member.leave")


@beyond("an account is deleted in every workspace")
def delete_account(
    session: Session,
    *,
    principal: Principal,
    password: str,
    to: UUID | None = None,
    address: str = "",
) -> None:
    """Delete one's account everywhere: name and e-mail are gone, the audit log keeps a pseudonym.

    A wrong password counts as a failed sign-in: the caller answers and commits. Where no password is set, the e-mail
    is typed in its place.

    Args:
        to: the member of this workspace who owns one's items from now on; see `remove_member`.

    Raises:
        InvalidInput: the password is wrong, or the heir can't own items.
        TooManyRequests: too many wrong ones.
        Conflict: the person is the last owner of a workspace.
        Forbidden: a token asks, or an owner who acts as them.
    """
    person = confirm_oneself(session, principal=principal, word=password, address=address)
    # All or nothing, while a wrong password before it stays counted.
    with session.begin_nested():
        _go_everywhere(session, principal, person, to)
        _forget(session, person)


def _go_everywhere(session: Session, principal: Principal, person: Person, to: UUID | None) -> None:
    places = list(session.scalars(select(Membership).where(Membership.person_id == person.id)))
    for place in sorted(places, key=lambda one: one.workspace_id):
        heir = to if place.workspace_id == principal.workspace_id else None
        _go(session, principal, place.workspace_id, place, heir, "person.delete")
    # Items of workspaces that they left before, and did not hand over.
    left = select(Item.workspace_id).where(Item.owner_id == person.id).distinct()
    for workspace_id in session.scalars(left).all():
        abandon(session, principal=principal, workspace_id=workspace_id, person_id=person.id)


def _go(
    session: Session,
    principal: Principal,
    workspace_id: UUID,
    place: Membership,
    to: UUID | None,
    action: str,
) -> None:
    person_id = place.person_id
    if place.role == OWNER:
        require_another_owner(session, workspace_id=workspace_id, person_id=person_id)
    purge_conversations(session, workspace_id=workspace_id, person_id=person_id)
    if to is not None:
        give_all(session, principal=principal, person_id=person_id, to=to)
    else:
        abandon(session, principal=principal, workspace_id=workspace_id, person_id=person_id)
    shut_out(session, workspace_id=workspace_id, person_id=person_id)
    here = select(Item.id).where(Item.workspace_id == workspace_id)
    session.execute(
        delete(ItemGrant).where(ItemGrant.workspace_id == workspace_id, ItemGrant.person_id == person_id)
    )
    for table in (Favorite, Recent):
        session.execute(delete(table).where(table.person_id == person_id, table.item_id.in_(here)))
    before = {"role": place.role}
    session.delete(place)
    session.flush()
    # In the log of the workspace that they go from, which need not be the one in which they are signed in.
    audit.record_in(
        session,
        workspace_id=workspace_id,
        principal=principal,
        action=action,
        target=f"person:{person_id}",
        before=before,
    )


def _forget(session: Session, person: Person) -> None:
    """Delete the row, with what hangs on it, and put a pseudonym wherever the audit log names the person.

    Their threads hold what they asked, word for word; what these cost is kept with the questions to models.
    """
    session.flush()
    session.execute(delete(Thread).where(Thread.person_id == person.id))
    pseudonym = PSEUDONYM.format(person.id.hex[-8:])
    email = person.email
    session.execute(delete(Invitation).where(func.lower(Invitation.email) == email.lower()))
    values = {
        # The whole e-mail and no piece of a longer one: `anna as ben` and `anna (token robot)` name people too.
        "acting": f"(^| ){re.escape(email)}( |$)",
        "between": rf"\1{pseudonym}\2",
        "target": f"person:{person.id}",
        "quoted": session.scalar(QUOTED, {"value": email}),
        "as_text": f'"{pseudonym}"',
        "named": f'"name": {session.scalar(QUOTED, {"value": person.name})}',
        "renamed": f'"name": "{pseudonym}"',
    }
    with audit.rewriting(session):
        session.execute(ANONYMISE, values)
    session.delete(person)
    session.flush()
