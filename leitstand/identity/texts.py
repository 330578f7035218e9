"""Text of strangers, made fit for the database."""


def storable(text: str) -> str:
    """Text that PostgreSQL takes: without NUL, and lone surrogates replaced."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
