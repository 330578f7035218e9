"""A companion's answer in a member's conversation, prepared by a model between two transactions of the request."""

from uuid import UUID

from sqlalchemy.orm import Session

from leitstand.companions.runs import Prepared
from leitstand.conversations.companions import prepare
from leitstand.db.engine import get_engine
from leitstand.identity.access import Principal
from serving.rates import count_question
from serving.session import paused


def prepared(
    session: Session, principal: Principal, *, item_id: UUID, revision: int, words: str
) -> Prepared | None:
    """What `conversations.companions.answer` is given.

    Raises:
        TooManyRequests: the person asked models too often, or this question is being answered already.
    """
    with paused(session, principal):
        return prepare(
            get_engine(),
            principal=principal,
            item_id=item_id,
            revision=revision,
            words=words,
            allow=lambda: count_question(principal),
        )
