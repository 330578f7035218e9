"""Signatures against a published example, and the guide's own code; how long retries wait."""

import re
from datetime import UTC, datetime

from leitstand.integrations import signing
from leitstand.integrations.delivering import ATTEMPTS, wait_after
from leitstand.integrations.webhooks import EVENT, OFFERED
from leitstand.settings import REPOSITORY

GUIDE = (REPOSITORY / "docs" / "guide" / "webhooks.md").read_text()
BODY = '{"name": "Grüße"}'.encode()


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of the libraries of Standard Webhooks (and of Svix, where it comes from)."""
    at = datetime.fromtimestamp(1614265330, UTC)
    found = signing.headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], at=at  # pragma: allowlist secret
    )  # fmt: skip
    assert found["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert found["webhook-timestamp"] == "1614265330"


def test_the_guides_code_verifies_what_we_send() -> None:
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(block, names)
    verify, first_time = names["verify"], names["first_time"]
    assert callable(verify) and callable(first_time)
    old, new = signing.new_secret(), signing.new_secret()
    headers = signing.headers("msg_1", BODY, [new, old], at=datetime.now(UTC))
    assert verify(old, headers, BODY) and verify(new, headers, BODY)
    assert not verify(signing.new_secret(), headers, BODY)
    assert not verify(new, headers, BODY + b" ")
    assert not verify(new, headers | {"webhook-id": "msg_2"}, BODY)
    late = signing.headers("msg_1", BODY, [new], at=datetime.fromtimestamp(0, UTC))
    assert not verify(new, late, BODY)
    assert (first_time(headers), first_time(headers)) == (True, False)


def test_waits_grow_and_end_within_a_day() -> None:
    waits = [wait_after(attempt) for attempt in range(1, ATTEMPTS + 1)]
    assert waits[-1] is None
    known = [wait for wait in waits if wait is not None]
    assert known == sorted(known) and 15 * 3600 < sum(known) < 27 * 3600


def test_what_is_offered_can_be_chosen() -> None:
    assert all(EVENT.fullmatch(one) for one in OFFERED)
    assert not any(EVENT.fullmatch(one) for one in ("", "x", "*.x", "a.b.c", "A.b", "a.*x", "a. b"))
