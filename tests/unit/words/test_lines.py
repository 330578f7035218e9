"""Text of strangers on a line of ours."""

from leitstand.words.lines import one_line


def test_text_of_strangers_is_one_short_line() -> None:
    assert one_line("a\r\nBcc: x@y\x1b[31m\u202e b") == "a Bcc: x@y [31m b"
    assert len(one_line("x" * 500)) == 200
