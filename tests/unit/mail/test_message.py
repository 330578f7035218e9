"""What a letter becomes as a message."""

from leitstand.mail.message import Letter, build
from leitstand.settings import Settings

SETTINGS = Settings(mail_sender="Leitstand <office@leitstand.test>", smtp_host="127.0.0.1")
LETTER = Letter(
    "Join\r\nBcc: all@leitstand.test",
    ("Hello <Ada>,",),
    "https://leitstand.test/i/x?a=1&b=2",
    "Join",
    ("Bye.",),
)


def test_a_letter_holds_its_link_in_text_and_page_and_nothing_ends_a_header() -> None:
    message = build(SETTINGS, LETTER, name="Ada", email="ada@example.test", identity="invitation-1")
    assert message["Subject"] == "Join Bcc: all@leitstand.test"
    assert message["Bcc"] is None
    assert message["Message-ID"] == "<invitation-1@leitstand.test>"
    text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    page = message.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert LETTER.link in text
    assert 'href="https://leitstand.test/i/x?a=1&amp;b=2"' in page
    assert "Hello &lt;Ada&gt;," in page
