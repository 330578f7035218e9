"""What a key with a forced command may do."""

import pytest

from leitstand.errors import Forbidden, InvalidInput
from leitstand.releases.images import image
from leitstand.releases.ssh import allowed

DIGEST = "sha256:" + "a1" * 32
IMAGE = f"registry.example.org/team/leitstand@{DIGEST}"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (f"release start {IMAGE}", ["start", IMAGE]),
        (f"leitstand release start {IMAGE} --pass abc_-.d-1 --by 'run 17'", None),
        (f"release start --by anna {IMAGE}", ["start", "--by", "anna", IMAGE]),
        ("release status --json", ["status", "--json"]),
        ("release rollback", ["rollback"]),
        ("release resume --by ci", ["resume", "--by", "ci"]),
        ("release maintenance on", ["maintenance", "on"]),
        (f"release promote-check {IMAGE} --json", ["promote-check", IMAGE, "--json"]),
        ("release history", ["history"]),
        (f"release rehearse {IMAGE} --json", ["rehearse", IMAGE, "--json"]),
    ],
)
def test_what_is_on_the_list_is_taken_apart(asked: str, words: list[str] | None) -> None:
    assert allowed(asked) == (words or ["start", IMAGE, "--pass", "abc_-.d-1", "--by", "run 17"])


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "bash",
        "release",
        "leitstand",
        "release ssh",
        "release facts schema",
        "backup run postgres",
        "release status; rm -rf x",
        "release status && id",
        "release status | cat",
        "release status $(id)",
        "release status `id`",
        "release status\nrelease rollback",
        "release status > /tmp/x",
        "release status extra",
        "release start",
        f"release start {IMAGE} {IMAGE}",
        f"release start {IMAGE} --accept backup-old",
        f"release start {IMAGE} --folder /etc",
        f"release start {IMAGE} --pass",
        f"release start {IMAGE} --pass a/b",
        f"release start {IMAGE} --by --pass",
        f"release start {IMAGE} --by=anna",
        "release maintenance maybe",
        "release history --id ../../x",
        "release 'status",
        f"release start {IMAGE}\x00",
        "release status " + "a" * 5000,
    ],
)
def test_anything_else_is_refused(asked: str) -> None:
    with pytest.raises(Forbidden):
        allowed(asked)


@pytest.mark.parametrize(
    "named",
    [
        "leitstand:latest",
        "leitstand@sha256:abc",
        f"--privileged@{DIGEST}",
        f"Leitstand@{DIGEST}",
        f"a/../b@{DIGEST}",
        f"a@{DIGEST}@{DIGEST}",
        f"@{DIGEST}",
        "a@sha512:" + "a" * 64,
    ],
)
def test_an_image_is_named_by_its_digest_alone(named: str) -> None:
    with pytest.raises(InvalidInput):
        image(named)
    with pytest.raises((InvalidInput, Forbidden)):
        allowed(f"release start {named}")


def test_an_image_is_read() -> None:
    assert str(image(IMAGE)) == IMAGE and image(IMAGE).short == "a1" * 6
    assert str(image(DIGEST)) == DIGEST and image(DIGEST).repository == "", (
        "the id of one that was built here"
    )
    assert image(f"127.0.0.1:5000/leitstand@{DIGEST}").repository == "127.0.0.1:5000/leitstand"
