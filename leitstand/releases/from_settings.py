"""The server that this command runs on, from the settings and the `.env` of its folder."""

import os
from pathlib import Path

from leitstand.errors import NotFound
from leitstand.releases.compose import ComposeHost
from leitstand.releases.host import Host
from leitstand.releases.site import GIB, Site
from leitstand.settings import Settings, load_settings
from leitstand.words import msg

PREFIX = "LEITSTAND_"


def server(folder: Path) -> tuple[Site, Host]:
    """The site and its host.

    Raises:
        NotFound: the folder is no server's: it has no `.env`.
    """
    path = folder / ".env"
    if not path.exists():
        raise NotFound(
            msg("{folder} is no server's folder: it has no .env.", folder=folder),
            hint="Give it with --folder, as deploy/README.md lays it out.",
        )
    for name, value in variables(path.read_text()).items():
        os.environ.setdefault(name, value)
    settings = load_settings()
    return site(folder, settings), ComposeHost(site(folder, settings), alerts_url=settings.release_alerts_url)


def site(folder: Path, settings: Settings) -> Site:
    """How careful a release is here."""
    return Site(
        folder,
        settings.environment,
        repository=settings.release_repository,
        staging_key=settings.release_staging_key,
        free_bytes=int(settings.release_free_gb * GIB),
        observe_seconds=settings.release_observe_seconds,
    )


def variables(text: str) -> dict[str, str]:
    """Our variables of an env file, as Compose reads them."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and name.strip().startswith(PREFIX):
            found[name.strip()] = value.strip().strip("'\"")
    return found
