"""Text of strangers, made fit for a line of ours."""


def one_line(text: str, longest: int = 200) -> str:
    """Text of strangers on one line, without characters that steer a display or a header."""
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"
