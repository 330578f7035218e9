"""What a model answers at a step that asks a space, before the transaction that takes the visitor's question.

A model takes seconds, and a transition is one short transaction. So the run is looked at, the model is asked with no
transaction open, and then the question is taken with the reply, if the run still stands there.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock
from uuid import UUID

from sqlalchemy import Engine

from leitstand.companions.runner import question_of
from leitstand.companions.runs import OpenCompanion, Prepared, find_run
from leitstand.companions.spaces import model_asker, reader_of_version
from leitstand.db import row_security
from leitstand.db.engine import transaction
from leitstand.errors import TooManyRequests
from leitstand.identity.access import Principal
from leitstand.words import N_

# A doubled submit comes within seconds, and takes the reply of the first one.
KEPT_SECONDS = 30.0
PATIENCE_SECONDS = 60.0
BEING_ANSWERED = N_("Your question is being answered already.")
WAIT = N_("Wait a moment, then load the page again.")
Key = tuple[UUID, int, str]


def prepare(
    engine: Engine,
    *,
    companion: OpenCompanion,
    visitor: str,
    run_id: UUID,
    revision: int,
    answer: str,
    allow: Callable[[], None] | None = None,
) -> Prepared | None:
    """What `give_answer` is to be given as `prepared`; None where the run does not stand at a step that asks a space.

    A space is asked with the rights of whoever saved the version. The same question of the same run, sent twice, is
    answered once.

    Args:
        the others: as `give_answer`.
        allow: called before a model is asked; what it raises is raised.

    Raises:
        TooManyRequests: the same question is being answered already, and another request waits for that.
    """
    with transaction(engine) as session:
        row_security.enter(session, workspace_id=companion.workspace_id)
        run = find_run(session, companion=companion, visitor=visitor)
        if run is None or run.run_id != run_id or run.ended or run.state.revision != revision:
            return None
        asked = question_of(run.flow, run.state, answer)
        if asked is None:
            return None
        reader: Principal = reader_of_version(
            session, companion.workspace_id, companion.companion_id, run.version
        )
    space, question = asked
    ask = model_asker(engine, reader, companion.companion_id, allow=allow)
    return _once.of((run_id, revision, question), lambda: Prepared(space, question, ask(space, question)))


@dataclass
class _Flight:
    future: Future[Prepared] = field(default_factory=Future)
    waiting: int = 0
    until: float = float("inf")


class Once:
    """Does the same work once for all that want it at the same time, or soon after.

    Args:
        clock: gives seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._flights: dict[Key, _Flight] = {}
        self._lock = Lock()

    def of(self, key: Key, work: Callable[[], Prepared]) -> Prepared:
        """What the work gives, or gave.

        Raises:
            TooManyRequests: it is at work, and somebody waits for it already.
        """
        with self._lock:
            now = self._clock()
            self._flights = {one: flight for one, flight in self._flights.items() if flight.until > now}
            flight = self._flights.get(key)
            if flight is not None:
                if flight.waiting and not flight.future.done():
                    raise TooManyRequests(BEING_ANSWERED, hint=WAIT, details={"retry_after": 5})
                flight.waiting += 1
            else:
                self._flights[key] = mine = _Flight()
        if flight is not None:
            return flight.future.result(PATIENCE_SECONDS)
        try:
            prepared = work()
        except BaseException as error:
            with self._lock:
                self._flights.pop(key, None)
            mine.future.set_exception(error)
            raise
        mine.until = self._clock() + KEPT_SECONDS
        mine.future.set_result(prepared)
        return prepared


# Of this process.
_once = Once()
