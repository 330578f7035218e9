"""Whether a user agent is that of a bot, by the list of crawler-user-agents, which comes with the package."""

import re
from functools import lru_cache

# Beyond this length no user agent says anything about who it is.
LONGEST = 1_000
REMEMBERED = 4_096
# What calls itself one, listed or not. (Cubot makes telephones.)
TELLING = re.compile(r"(?<!cu)bot\b|crawl|spider|preview|archiver|monitor|uptime|java/", re.IGNORECASE)


def is_bot(user_agent: str) -> bool:
    """Whether a program in nobody's hands sent this; an empty one is no evidence."""
    return _is_bot(user_agent[:LONGEST])


@lru_cache(maxsize=REMEMBERED)
def _is_bot(agent: str) -> bool:
    from crawleruseragents import is_crawler

    return bool(agent) and (TELLING.search(agent) is not None or bool(is_crawler(agent)))
