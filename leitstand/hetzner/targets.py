"""From an environment's name to what it is made of and where: the one place where keys are put to use."""

from pathlib import Path
from urllib.parse import urlsplit

from leitstand.errors import PreconditionFailed
from leitstand.hetzner.buckets import storage_of
from leitstand.hetzner.cloud import Cloud
from leitstand.hetzner.description import ENVIRONMENTS, read_environment, read_site
from leitstand.hetzner.keys import check_separate, needed
from leitstand.hetzner.plan import Target
from leitstand.settings import Settings
from leitstand.words import msg

OWN = frozenset({"127.0.0.1", "::1", "localhost"})


def target_of(
    settings: Settings,
    name: str,
    site_file: Path,
    *,
    folder: Path = ENVIRONMENTS,
    pause_seconds: float = 1.0,
    with_buckets: bool = True,
) -> Target:
    """The environment, its project and its object storage.

    Raises:
        NotFound, InvalidInput: the description.
        PreconditionFailed: a key is missing, readable by others, or another project's.
    """
    site = read_site(site_file)
    environment = read_environment(name, site, folder)
    check_separate(settings, environment)
    cloud = storage = None
    if environment.needs_cloud:
        token = needed(settings, "token", name)
        cloud = Cloud(token, safe(settings.hetzner_api), pause_seconds=pause_seconds)
    if environment.buckets and with_buckets:
        storage = storage_of(settings, environment)
    return Target(environment, site, cloud, storage)


def safe(endpoint: str) -> str:
    """The address of the API, where a token may be sent to it.

    Raises:
        PreconditionFailed: it would travel in the open.
    """
    parts = urlsplit(endpoint)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in OWN):
        return endpoint
    raise PreconditionFailed(
        msg("A token is not sent to {address}.", address=endpoint),
        hint="LEITSTAND_HETZNER_API begins with https.",
    )
