"""A change of plan, carried out within a request."""

from functools import partial

from sqlalchemy.orm import Session

from leitstand.billing.asking import carry_out
from leitstand.billing.providers.base import Begun
from leitstand.db.models import PlanChange
from leitstand.identity.access import Principal
from serving.session import paused, transaction_of


def carried_out(session: Session, principal: Principal, change: PlanChange | None) -> Begun:
    """Commit a change and ask the provider for it, with no transaction open; None is one that is done.

    Raises:
        as `carry_out`.
    """
    if change is None:
        return Begun()
    with paused(session, principal):
        return carry_out(partial(transaction_of, principal), change_id=change.id, principal=principal)
