"""Scripts written without spaces, as overlapping pairs of characters: for PostgreSQL a whole sentence of them is one word.

What is indexed, asked and quoted goes through `paired` alike. Pairs of characters find in Chinese and Japanese what stems
find elsewhere; Korean has spaces, but its words carry their particles along.
"""

import re
from collections.abc import Collection, Iterable, Iterator

# Han, kana, hangul; Thai, Lao, Burmese and Khmer.
RUN = re.compile(
    "[\u2e80-\u2fdf\u3005\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f"
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\U00020000-\U0003134f]+"
)
Span = tuple[int, int]


def paired(text: str) -> str:
    """A text as it is made words of: each run of such characters as its pairs; one that stands alone as it is."""
    return text if text.isascii() else RUN.sub(lambda run: f" {' '.join(_pairs(run[0]))} ", text)


def _pairs(run: str) -> Iterator[str]:
    if len(run) == 1:
        yield run
    for place in range(len(run) - 1):
        yield run[place : place + 2]


def found_pairs(text: str, words: Collection[str]) -> tuple[Span, ...]:
    """Where pairs that are among `words` stand in a text, as (start, end) in characters; those that touch are one."""
    if text.isascii():
        return ()
    return merged(
        (place, place + len(pair))
        for run in RUN.finditer(text)
        for place, pair in enumerate(_pairs(run[0]), start=run.start())
        if pair in words
    )


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans in their order; those that touch or overlap are one."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return tuple(found)
