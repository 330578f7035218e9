"""The process that reads one file: python -m leitstand.knowledge.parsing BYTES SECONDS MEDIA_TYPE TITLE < file."""

import json
import resource
import sys

from leitstand.knowledge.parsing.bombs import refuse_bombs
from leitstand.knowledge.parsing.outline import Unreadable
from leitstand.knowledge.parsing.passages import cut
from leitstand.knowledge.parsing.readers import read
from leitstand.words import N_, to_stored, words_of

TOO_MUCH = N_("It is too large or too deeply nested to be read. Split it into several documents.")


def main() -> None:
    """Read a file under limits of memory and time; answer its passages, or why it can't be read."""
    memory, seconds, media_type, title = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:5]
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    json.dump(_answer(media_type, title) or {"reason": TOO_MUCH}, sys.stdout)


def _answer(media_type: str, title: str) -> dict[str, object] | None:
    """What is said of the file; None where it is too much, once all that was read of it is free again."""
    try:
        data = sys.stdin.buffer.read()
        refuse_bombs(data)
        passages = cut(title, read(media_type, data))
        return {"passages": [[passage.heading, passage.content] for passage in passages]}
    except Unreadable as error:
        return {"reason": to_stored(words_of(error))}
    except (MemoryError, RecursionError):
        return None


main()
