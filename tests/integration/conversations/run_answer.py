"""Answers the message that is named, in a process of its own that a test can kill."""

import sys
from uuid import UUID

from leitstand.conversations.jobs import answer_question
from leitstand.language_models import chat

chat.FIRST_WAIT_SECONDS = 0.01
answer_question(message_id=str(UUID(sys.argv[1])))
