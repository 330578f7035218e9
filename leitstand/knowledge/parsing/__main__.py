"""python -m leitstand.knowledge.parsing MEDIA_TYPE TITLE < file > passages.json: the process that reads one file."""

import json
import resource
import sys

from leitstand.knowledge.parsing.outline import Unreadable
from leitstand.knowledge.parsing.passages import cut
from leitstand.knowledge.parsing.process import CPU_SECONDS, MEMORY_BYTES
from leitstand.knowledge.parsing.readers import read


def main() -> None:
    """Read a file under limits of memory and time; answer its passages, or why it can't be read."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    media_type, title = sys.argv[1:3]
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
