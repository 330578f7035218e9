"""What of a model's answer is taken: its words, with the citations that there are, numbered as they come."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from leitstand.knowledge.model_prompts import UNANSWERED

ONE = r"A?\d{1,3}"
# [1], [1, 2], [A1]; some models write 【1】 or [^1].
CITED = re.compile(rf"[ \t]*[\[【]\^?\s*({ONE}(?:\s*[,;]\s*\^?{ONE})*)\s*[\]】]")
# The beginning of one, at the end of an answer that is still being written.
BEGUN = re.compile(r"[ \t]*[\[【][\^A\d\s,;]{0,40}$")


@dataclass(frozen=True)
class Written:
    """A model's words.

    Args:
        passages: numbers of the passages as the model was told them; the first of them is [1] in the text, and so on.
        attached: whether it names an attachment.
        unanswered: whether it says that nothing answers the question.
    """

    text: str
    passages: tuple[int, ...] = ()
    attached: bool = False
    unanswered: bool = False


def taken(reply: str, *, passages: int, attachments: Sequence[str] = ()) -> Written:
    """A model's answer with its citations numbered anew from 1; numbers of nothing are taken out.

    Args:
        passages: how many the model was given.
        attachments: their names, which stand in the text instead of their numbers.
    """
    if _plain(reply).startswith(UNANSWERED):
        return Written("", unanswered=True)
    numbers: dict[int, int] = {}
    attached: list[str] = []

    def put(match: re.Match[str]) -> str:
        marks: list[str] = []
        for mark in re.findall(ONE, match[1]):
            number = int(mark.removeprefix("A"))
            if mark.startswith("A") and 0 < number <= len(attachments):
                attached.append(attachments[number - 1])
                marks.append(f" ({attachments[number - 1]})")
            elif not mark.startswith("A") and 0 < number <= passages:
                marks.append(f" [{numbers.setdefault(number, len(numbers) + 1)}]")
        return "".join(dict.fromkeys(marks))

    text = CITED.sub(put, reply).strip()
    return Written(text, tuple(numbers), attached=bool(attached))


def so_far(reply: str, *, passages: int, attachments: Sequence[str] = ()) -> str:
    """What is shown of an answer that is still being written; empty while it may yet say that nothing answers."""
    begun = _plain(reply)
    if UNANSWERED.startswith(begun[: len(UNANSWERED)]):
        return ""
    return taken(BEGUN.sub("", reply), passages=passages, attachments=attachments).text


def _plain(reply: str) -> str:
    return reply.strip().replace("_", " ").lstrip("*#> \"'").upper()
