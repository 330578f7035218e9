"""Cloud-init's user data for a host: a template, filled, and held against the keys that we know.

cloud-init itself takes a document with a misspelt key, and its schema check says nothing of it either: the host would
come up without what the key was for. So the models below have exactly what the templates may say.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, StringConstraints, ValidationError

from leitstand.errors import InvalidInput, NotFound
from leitstand.hetzner.description import FOLDER, Environment, Server, Site, Strict
from leitstand.hetzner.filling import fill
from leitstand.words import msg

TEMPLATES = FOLDER / "cloud-init"
# Hetzner takes no more.
MOST_BYTES = 32 * 1024
HEAD = "#cloud-config\n"
Mode = Annotated[str, StringConstraints(pattern=r"^0[0-7]{3}$")]
Absolute = Annotated[str, StringConstraints(pattern=r"^/[^\x00]*$")]


class User(Strict):
    """An account of the host: keys only."""

    name: str
    gecos: str
    groups: list[str] = Field([])
    shell: Literal["/bin/bash", "/bin/sh", "/usr/sbin/nologin"]
    lock_passwd: Literal[True]
    sudo: str | None = None
    ssh_authorized_keys: list[str] = Field([])


class WrittenFile(Strict):
    """A file that the host has from its first start."""

    path: Absolute
    content: str
    permissions: Mode = "0644"
    owner: str = "root:root"
    defer: bool = False


class Ntp(Strict):
    """Where the time comes from."""

    enabled: Literal[True]
    ntp_client: Literal["chrony", "systemd-timesyncd"]
    servers: list[str] = Field(min_length=2)


class CloudConfig(Strict):
    """What our templates may say, of all that cloud-init knows."""

    hostname: str
    fqdn: str
    manage_etc_hosts: bool
    timezone: Literal["UTC"]
    disable_root: Literal[True]
    ssh_pwauth: Literal[False]
    ssh_deletekeys: bool = True
    users: list[User] = Field(min_length=1)
    package_update: bool
    package_upgrade: bool
    package_reboot_if_required: bool
    packages: list[str] = Field(min_length=1)
    ntp: Ntp
    mounts: list[Annotated[list[str], Field(min_length=6, max_length=6)]] = Field([])
    write_files: list[WrittenFile]
    runcmd: list[list[str]] = Field([])
    final_message: str = ""


def user_data(environment: Environment, server: Server, site: Site, *, volume_id: int) -> str:
    """What Hetzner hands to the host at its first start; `volume_id` is that of its volume, 0 where it has none.

    Raises:
        NotFound, InvalidInput: there is no such template, or it isn't right.
    """
    values = {
        "environment": environment.name,
        "host": server.name,
        "domain": server.domain or site.domain,
        "role": server.role,
        "repository": site.repository,
        "private_ip": server.private_ip,
        "private_network": environment.network.subnet if environment.network else "",
        "admin_keys": [key.public_key for key in environment.ssh_keys],
        "ssh_users": " ".join(ssh_users(site, server)),
        "release_keys": release_keys(server),
        "volume": f"/dev/disk/by-id/scsi-0HC_Volume_{volume_id}",
    }
    document = fill(template(server.cloud_init), values)
    if not volume_id:
        document.pop("mounts", None)
    return rendered(document, f"{server.cloud_init}.yaml")


def ssh_users(site: Site, server: Server) -> list[str]:
    """Who may sign in by SSH, and from where: the pipeline has no address of its own."""
    people = [f"operator@{network}" for network in site.admin_networks]
    return [*people, "release"] if server.release_key else people


def release_keys(server: Server) -> list[str]:
    """The line of the pipeline's key: it may run one command, and forward nothing."""
    if server.release_key is None:
        return []
    return [f'restrict,command="/usr/local/bin/leitstand-release" {server.release_key}']


def template(name: str, folder: Path = TEMPLATES) -> Any:
    """A template as data."""
    try:
        return _parsed(folder / f"{name}.yaml")
    except FileNotFoundError as error:
        raise NotFound(msg("There is no template {name} of cloud-init.", name=name)) from error


@cache
def _parsed(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def rendered(document: Any, name: str) -> str:
    """The document as cloud-init reads it.

    Raises:
        InvalidInput: it says what we don't know, or is too large.
    """
    try:
        CloudConfig.model_validate(document)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        reasons = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in found)
        raise InvalidInput(msg("{file} is not right: {reason}", file=name, reason=reasons)) from error
    text: str = HEAD + yaml.safe_dump(document, sort_keys=False, width=10_000)
    if len(text.encode()) > MOST_BYTES:
        raise InvalidInput(
            msg("{file} is larger than the {bytes} bytes that Hetzner takes.", file=name, bytes=MOST_BYTES)
        )
    return text
