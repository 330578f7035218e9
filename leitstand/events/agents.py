"""Whether a user agent is that of a bot, by the list of crawler-user-agents, which comes with the package."""

import re
from functools import lru_cache

# Beyond this length no user agent says anything about who it is.
LONGEST = 1_000
REMEMBERED = 4_096
# Programs that ask for somebody else without being crawlers: tools, libraries, previews. (Cubot makes telephones.)
PROGRAMS = re.compile(
    r"(?<!cu)bot\b|crawl|spider|slurp|preview|facebookexternalhit|whatsapp|telegram|embedly|archiver|monitor|uptime"
    r"|pingdom|lighthouse|scrapy|curl/|wget/|python-requests|python-urllib|go-http-client|libwww|java/|headlesschrome",
    re.IGNORECASE,
)


@lru_cache(maxsize=REMEMBERED)
def is_bot(user_agent: str) -> bool:
    """Whether a program of nobody's hands sent this; an empty one is no evidence."""
    agent = user_agent[:LONGEST]
    return bool(agent) and (PROGRAMS.search(agent) is not None or bool(_listed().search(agent)))


@lru_cache(maxsize=1)
def _listed() -> re.Pattern[str]:
    """All patterns of the list as one."""
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA

    return re.compile("|".join(f"(?:{entry['pattern']})" for entry in CRAWLER_USER_AGENTS_DATA))
