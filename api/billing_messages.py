"""What Stripe tells us: public, and proven by its signature."""

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from api.models import Answer
from leitstand.billing.messages import take_message
from leitstand.db.engine import transaction

# Stripe has no session to which an Idempotency-Key could belong: its messages have ids of their own.
router = APIRouter(prefix="/billing/stripe", include_in_schema=False)


class TakenOut(Answer):
    """What became of a provider's message."""

    outcome: str


@router.post("")
async def stripe(request: Request) -> TakenOut:
    """Stripe's messages; the same one again changes nothing."""
    body, headers = await request.body(), dict(request.headers)

    def take() -> str:
        with transaction() as session:
            return take_message(session, body=body, headers=headers)

    return TakenOut(outcome=await run_in_threadpool(take))
