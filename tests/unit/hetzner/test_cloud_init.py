"""Cloud-init's user data: hardened, and refused where it says what nobody reads."""

import copy
import json
from typing import Any

import pytest
import yaml

from leitstand.errors import InvalidInput
from leitstand.hetzner.cloud_init import HEAD, rendered, user_data
from leitstand.hetzner.description import FOLDER, read_environment, read_site

SITE = read_site(FOLDER / "site.example.toml")


def document(name: str = "production", volume_id: int = 7) -> Any:
    """The user data of an environment's first server, as data."""
    environment = read_environment(name, SITE)
    text = user_data(environment, environment.servers[0], SITE, volume_id=volume_id)
    assert text.startswith(HEAD)
    return yaml.safe_load(text)


def file(path: str, of: Any) -> str:
    """The content of a file that the host gets."""
    return str(next(each["content"] for each in of["write_files"] if each["path"] == path))


@pytest.mark.parametrize("environment", ["production", "staging"])
def test_nobody_signs_in_with_a_password_or_as_root(environment: str) -> None:
    host = document(environment)
    ssh = file("/etc/ssh/sshd_config.d/10-leitstand.conf", host).splitlines()

    assert (host["disable_root"], host["ssh_pwauth"]) == (True, False)
    assert all(user["lock_passwd"] for user in host["users"])
    assert {"PermitRootLogin no", "PasswordAuthentication no", "AuthenticationMethods publickey"} <= set(ssh)
    assert "AllowUsers operator@203.0.113.0/24 operator@2001:db8::/48 release" in ssh


def test_the_pipelines_key_has_one_command_and_no_sudo() -> None:
    production, staging = (
        next(user for user in document(name)["users"] if user["name"] == "release")
        for name in ("production", "staging")
    )

    assert production["ssh_authorized_keys"] == [
        f'restrict,command="/usr/local/bin/leitstand-release" {SITE.release_key}'
    ]
    assert SITE.staging_release_key in staging["ssh_authorized_keys"][0]
    assert "sudo" not in production
    assert "sudo" not in production["groups"]


def test_a_release_that_was_left_is_taken_up_by_a_timer() -> None:
    host = document()
    service = file("/etc/systemd/system/leitstand-resume.service", host)

    assert "User=release" in service and "run release resume" in service
    assert "OnUnitInactiveSec=5min" in file("/etc/systemd/system/leitstand-resume.timer", host)
    assert ["systemctl", "enable", "--now", "leitstand-resume.timer"] in host["runcmd"]


def test_docker_fits_hetzners_network_and_waits_for_the_volume() -> None:
    host = document()
    docker = json.loads(file("/etc/docker/daemon.json", host))

    assert docker["live-restore"] is True
    assert docker["mtu"] == 1450
    assert docker["default-network-opts"]["bridge"]["com.docker.network.driver.mtu"] == "1450"
    assert host["mounts"][0][:2] == ["/dev/disk/by-id/scsi-0HC_Volume_7", "/var/lib/docker/volumes"]
    assert "RequiresMountsFor=/var/lib/docker/volumes" in file(
        "/etc/systemd/system/docker.service.d/volume.conf", host
    )
    assert "mounts" not in document(volume_id=0)


def test_what_comes_in_is_dropped_unless_it_is_named() -> None:
    rules = file("/etc/nftables.conf", document())

    assert "policy drop" in rules
    assert "flush ruleset" not in rules, "Docker's rules would go with it"
    assert "elements = { 10.20.1.0/24 }" in rules


@pytest.mark.parametrize(
    ("where", "key", "value"),
    [
        ((), "packges", ["nftables"]),
        (("users", 0), "ssh_authorised_keys", ["ssh-ed25519 AAAA"]),
        (("write_files", 0), "permission", "0600"),
        (("ntp",), "server", ["ntp1.hetzner.de"]),
        ((), "ssh_pwauth", True),
        (("write_files", 0), "permissions", 600),
    ],
)
def test_a_key_that_nobody_reads_is_refused(where: tuple[Any, ...], key: str, value: object) -> None:
    host = copy.deepcopy(document())
    place = host
    for step in where:
        place = place[step]
    place[key] = value

    with pytest.raises(InvalidInput, match=key):
        rendered(host, "host.yaml")


def test_what_hetzner_would_not_take_is_refused() -> None:
    host = document()
    host["write_files"].append({"path": "/etc/large", "content": "x" * 33_000})

    with pytest.raises(InvalidInput, match="larger"):
        rendered(host, "host.yaml")
