"""The process that reads one file: python -m leitstand.knowledge.parsing BYTES SECONDS MEDIA_TYPE TITLE < file."""

import json
import resource
import sys

from leitstand.knowledge.parsing.outline import Unreadable
from leitstand.knowledge.parsing.passages import cut
from leitstand.knowledge.parsing.readers import read


def main() -> None:
    """Read a file under limits of memory and time; answer its passages, or why it can't be read."""
    memory, seconds, media_type, title = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:5]
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    answer: dict[str, object]
    try:
        passages = cut(title, read(media_type, sys.stdin.buffer.read()))
        answer = {"passages": [[passage.heading, passage.content] for passage in passages]}
    except Unreadable as error:
        answer = {"reason": str(error)}
    except (MemoryError, RecursionError):
        answer = {
            "reason": "It is too large or too deeply nested to be read. Split it into several documents."
        }
    json.dump(answer, sys.stdout)


main()
