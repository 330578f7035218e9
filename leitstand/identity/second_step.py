"""The second step of signing in: a session is opened at once, or when the code is right too."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from leitstand.errors import InvalidInput
from leitstand.identity import one_time_codes, steps
from leitstand.identity.sessions import CodeNeeded, SignedIn, open_for, uses_codes


def open_or_ask(
    session: Session,
    *,
    person_id: UUID,
    user_agent: str,
    by: str,
    previous_token: str | None = None,
    workspace_id: UUID | None = None,
) -> SignedIn:
    """Open a session, as `sessions.open_for`, for whoever uses no one-time codes.

    Raises:
        CodeNeeded: the person uses them.
        SignInFailed: as `open_for`.
    """
    if uses_codes(session, person_id):
        raise CodeNeeded(person_id)
    return open_for(
        session,
        person_id=person_id,
        user_agent=user_agent,
        by=by,
        previous_token=previous_token,
        workspace_id=workspace_id,
    )


def ask(
    session: Session,
    needed: CodeNeeded,
    *,
    by: str,
    back: str,
    workspace_id: UUID | None = None,
    previous_step: str | None = None,
) -> str:
    """Remember in this browser who has passed the first step; gives the token for its cookie, which gives no rights.

    Args:
        by: how the first step was passed.
        back: the path to go to in the end.
        previous_step: token of what the browser had begun before.
    """
    data = {"by": by, "back": back, "workspace": str(workspace_id or "")}
    return steps.begin(
        session, steps.CODE, person_id=needed.person_id, data=data, previous_token=previous_step
    )


def finish(
    session: Session,
    *,
    token: str | None,
    code: str,
    address: str,
    user_agent: str,
    previous_token: str | None = None,
    now: datetime | None = None,
) -> tuple[SignedIn, str]:
    """Check the code and open the session; gives it and the path to go to. A failure counts: the caller commits.

    Args:
        token: of the browser's step.
        previous_token: of the session that the browser had.

    Raises:
        StepExpired: this browser has not passed the first step, or too long ago.
        InvalidInput: the code is wrong or was used already; it may be tried again.
        TooManyRequests: too many wrong ones.
        SignInFailed: the person was disabled meanwhile.
    """
    step = steps.find(session, steps.CODE, token, now=now)
    if step.person_id is None:
        raise InvalidInput("Nobody has begun to sign in here.")
    how = one_time_codes.check(session, person_id=step.person_id, code=code, address=address, now=now)
    kept = dict(step.data)
    steps.take(session, steps.CODE, token, now=now)
    opened = open_for(
        session,
        person_id=step.person_id,
        user_agent=user_agent,
        by=f"{kept['by']} and {how}",
        previous_token=previous_token,
        workspace_id=UUID(kept["workspace"]) if kept["workspace"] else None,
    )
    return opened, kept["back"]
