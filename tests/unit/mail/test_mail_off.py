"""Whether mail can be sent is said in words."""

from leitstand.mail.settings import mail_off
from leitstand.settings import Settings


def test_a_restored_copy_sends_no_mail_though_a_server_is_set() -> None:
    live = Settings(smtp_host="mail.example.org", mail_sender="reports@example.org")
    assert mail_off(live) == ""
    assert "only tried out" in mail_off(live.model_copy(update={"rehearsal": True}))
