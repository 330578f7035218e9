"""What of a typed text is kept: everything but controls, which no page can show."""

# Python calls these unprintable, but words and signs are made with them: the joiners of Persian, Hindi and emoji, the
# marks and isolates of texts from right to left, and the tags of flags. What overrides a direction is not among them.
MAKING_WORDS = frozenset(
    map(chr, (0x061C, *range(0x200C, 0x2010), *range(0x2066, 0x206A), *range(0xE0020, 0xE0080)))
)


def without_controls(text: str, keep: str = "") -> str:
    """The text with a blank for each control character; empty where nothing in it can be seen.

    Args:
        keep: control characters that stay.
    """
    plain = "".join(c if c.isprintable() or c in MAKING_WORDS or c in keep else " " for c in text)
    return plain if any(not c.isspace() and c not in MAKING_WORDS for c in plain) else ""
