"""Works on the thread that is named, in a process of its own that a test can kill."""

import sys
from uuid import UUID

from leitstand.agents import running
from leitstand.db.engine import get_engine
from leitstand.language_models import chat

chat.FIRST_WAIT_SECONDS = 0.01
running.run(get_engine(), thread_id=UUID(sys.argv[1]))
