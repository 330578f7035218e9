"""Runs the reader of one file in a process of its own, so that no file can take the worker down."""

import json
import os
import subprocess
import sys

from leitstand.knowledge.media import why_not
from leitstand.knowledge.parsing.bombs import is_packed
from leitstand.knowledge.parsing.outline import Unreadable
from leitstand.knowledge.parsing.passages import Passage
from leitstand.settings import REPOSITORY
from leitstand.telemetry.logs import get_logger
from leitstand.words import from_stored, msg

CPU_SECONDS = 60
WALL_SECONDS = 120
MEMORY_BYTES = 1024**3
log = get_logger("knowledge")


def parse(media_type: str, title: str, data: bytes) -> list[Passage]:
    """The passages of a file.

    Args:
        media_type: as in `media.READABLE`.
        title: the document's title, which heads every passage.

    Raises:
        Unreadable: it can't become text, in words for whoever uploaded it.
    """
    # An archive is looked into all the same, so that it says when it is a bomb.
    if (reason := why_not(media_type)) and not is_packed(data):
        raise Unreadable(reason)
    limits = [str(MEMORY_BYTES), str(CPU_SECONDS)]
    argv = [sys.executable, "-m", "leitstand.knowledge.parsing", *limits, media_type, title]
    try:
        ended = subprocess.run(
            argv, input=data, capture_output=True, timeout=WALL_SECONDS, env=_environment(), check=False
        )
    except subprocess.TimeoutExpired:
        raise Unreadable(
            msg("Reading it took longer than {wall_seconds} seconds.", wall_seconds=WALL_SECONDS)
        ) from None
    if ended.returncode != 0:
        tail = ended.stderr.decode(errors="replace")[-2_000:]
        log.warning("reader failed", media_type=media_type, code=ended.returncode, stderr=tail)
        raise Unreadable("It is damaged, or needs more time or memory than a document may.")
    answer = json.loads(ended.stdout)
    if "reason" in answer:
        raise Unreadable(from_stored(answer["reason"]))
    return [Passage(heading, content) for heading, content in answer["passages"]]


def _environment() -> dict[str, str]:
    """What the reader needs, and none of our secrets."""
    kept = ("PATH", "LANG", "LC_ALL", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV")
    found = {name: os.environ[name] for name in kept if name in os.environ}
    return found | {"PYTHONPATH": str(REPOSITORY), "PYTHONUTF8": "1"}
