"""The job of conversations: answering a question."""

from uuid import UUID

from leitstand.jobs.registry import AGENTS_QUEUE, job


@job("conversations.answer", attempts=8, lock="answer-{message_id}", queue=AGENTS_QUEUE)
def answer_question(*, message_id: str) -> None:
    """Read the files of a question and have it answered; a killed worker's successor answers it again."""
    from leitstand.conversations.answering import answer
    from leitstand.db.engine import get_engine
    from leitstand.settings import get_settings
    from leitstand.storage.objects import ObjectStorage

    answer(get_engine(), ObjectStorage(get_settings()), message_id=UUID(message_id))
