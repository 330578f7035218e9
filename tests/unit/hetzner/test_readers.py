"""The check of what a host's programs read finds what is planted, and never counts what nobody looked at."""

from pathlib import Path

import pytest

from leitstand.hetzner.cloud_init import user_data
from leitstand.hetzner.description import FOLDER, read_environment, read_site
from tests import cloud_init

SITE = read_site(FOLDER / "site.example.toml")
PRODUCTION = read_environment("production", SITE)


@pytest.mark.parametrize(
    ("there", "planted", "who"),
    [
        ("PermitRootLogin no", "PermitRootLogins no", "sshd"),
        ("policy drop", "policy dorp", "nft"),
        ("live-restore", 'live-restore"', "JSON"),
        ("set -eu", "set -eu; cd $HOME", "shellcheck"),
        ("ssh_pwauth: false", "ssh_pwauth: [false]", "schema"),
    ],
)
def test_a_planted_mistake_is_found(tmp_path: Path, there: str, planted: str, who: str) -> None:
    text = user_data(PRODUCTION, PRODUCTION.servers[0], SITE, volume_id=1)
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    assert there in text
    good.write_text(text)
    bad.write_text(text.replace(there, planted.replace('"', '\\"'), 1))

    well, badly = (
        next(judge() for what, judge in cloud_init.judges(each) if who in what) for each in (good, bad)
    )

    if badly is None:
        pytest.skip(f"{who} is missing here")
    assert well == ""
    assert badly


def test_what_no_program_looked_at_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud_init, "found", lambda *command: None)

    cloud_init.check(tmp_path)

    told = capsys.readouterr().out
    assert "cloud-init's schema: not done" in told
    assert "nftables.conf by nft: not done" in told
