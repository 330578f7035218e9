"""Descriptions of environments are read strictly."""

from pathlib import Path

import pytest

from leitstand.errors import InvalidInput, NotFound
from leitstand.hetzner.description import ENVIRONMENTS, FOLDER, environments, read_environment, read_site
from leitstand.hetzner.filling import fill

SITE = FOLDER / "site.example.toml"


def test_every_environment_of_the_repository_is_right() -> None:
    site = read_site(SITE)
    found = {name: read_environment(name, site) for name in environments()}

    assert set(found) == {"production", "staging", "backups"}
    assert found["backups"].location != found["production"].location
    assert {"production", "staging"} <= set(found["backups"].separate_from)
    assert all(bucket.lockable for bucket in found["backups"].buckets)
    assert not found["backups"].needs_cloud


@pytest.mark.parametrize(
    ("there", "instead", "said"),
    [
        ('location = "fsn1"', 'location = "fsn1"\nlocatoin = "fsn1"', "locatoin: Extra inputs"),
        ("size_gb = 100", 'size_gb = "100"', "size_gb: Input should be a valid integer"),
        ('firewalls = ["production-public"]', 'firewalls = ["production-publik"]', "production-publik"),
        ('server = "production-1"', 'server = "production-2"', "production-2 is not described"),
        (
            'ipv4 = "production-ipv4"',
            'ipv4 = "production-ipv6"',
            "no primary IP production-ipv6 of type ipv4",
        ),
        ('private_ip = "10.20.1.10"', 'private_ip = "10.30.1.10"', "not a host's address"),
        ('private_ip = "10.20.1.10"', 'private_ip = "10.20.1.1"', "not a host's address"),
        ('subnet = "10.20.1.0/24"', 'subnet = "10.21.1.0/24"', "is not in 10.20.0.0/16"),
        ('ssh_keys = "${ssh_keys}"', "", "passwords by mail"),
        ('type = "A", primary_ip = "production-ipv4"', 'type = "A"', "give values or a primary IP"),
        ('domain = "${domain}"', 'domain = "${domian}"', "Nothing says what domian is"),
    ],
)
def test_a_mistake_is_refused_and_named(tmp_path: Path, there: str, instead: str, said: str) -> None:
    text = (ENVIRONMENTS / "production.toml").read_text()
    assert there in text
    (tmp_path / "production.toml").write_text(text.replace(there, instead, 1))

    with pytest.raises(InvalidInput) as raised:
        read_environment("production", read_site(SITE), tmp_path)

    assert said in raised.value.message


@pytest.mark.parametrize(
    ("there", "instead", "said"),
    [
        ('"203.0.113.0/24"', '"0.0.0.0/0"', "the whole internet"),
        ("ssh-ed25519", "ssh-rsa", "public_key"),
        ("https://github.com", "http://github.com", "repository"),
    ],
)
def test_a_site_that_opens_too_much_is_refused(tmp_path: Path, there: str, instead: str, said: str) -> None:
    path = tmp_path / "site.toml"
    path.write_text(SITE.read_text().replace(there, instead))

    with pytest.raises(InvalidInput) as raised:
        read_site(path)

    assert said in raised.value.message


def test_a_missing_file_is_told_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as raised:
        read_site(tmp_path / "site.toml")

    assert "site.example.toml" in raised.value.hint


def test_the_address_of_staging_has_a_record_once_it_is_known() -> None:
    site = read_site(SITE)
    known = site.model_copy(update={"staging_ipv4": ["198.51.100.7"]})

    zones = [read_environment("production", each).zone for each in (site, known)]

    assert [[each.values for each in zone.records if each.name == "staging"] for zone in zones if zone] == [
        [],
        [["198.51.100.7"]],
    ]


def test_the_second_server_of_the_readme_is_right(tmp_path: Path) -> None:
    lines = (
        (FOLDER.parent / "README.md").read_text().split("# Growing", 1)[1].split("1. **", 1)[0].splitlines()
    )
    added = "\n".join(line.strip() for line in lines if line.startswith("    "))
    text = (ENVIRONMENTS / "production.toml").read_text()
    assert "[[servers]]" in added
    (tmp_path / "production.toml").write_text(f"{text}\n{added}\n")

    wanted = read_environment("production", read_site(SITE), tmp_path)

    assert [(each.name, each.role) for each in wanted.servers] == [
        ("production-1", "all"),
        ("production-2", "workers"),
    ]
    assert wanted.firewalls[1].rules[0].sources == ["203.0.113.0/24", "2001:db8::/48"]


def test_values_can_not_change_a_documents_structure() -> None:
    hostile = 'a"\n- b: ${c}'

    assert fill({"x": "${v}", "y": ["say ${v}"], "z": 1}, {"v": hostile}) == {
        "x": hostile,
        "y": [f"say {hostile}"],
        "z": 1,
    }
