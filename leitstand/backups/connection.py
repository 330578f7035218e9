"""How PostgreSQL's own programs reach the database of the settings."""

import os

from sqlalchemy import make_url

from leitstand.settings import Settings

VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "username": "PGUSER",
    "password": "PGPASSWORD",
    "database": "PGDATABASE",
}
OPTIONS = {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "host": "PGHOST"}


def client_environment(settings: Settings, *, application: str) -> dict[str, str]:
    """Environment of libpq programs; the password is in it, never in argv."""
    url = make_url(settings.database_url)
    found = {
        variable: str(getattr(url, part))
        for part, variable in VARIABLES.items()
        if getattr(url, part) is not None
    }
    found |= {variable: str(url.query[option]) for option, variable in OPTIONS.items() if option in url.query}
    return {**os.environ, **found, "PGCONNECT_TIMEOUT": "10", "PGAPPNAME": application, "LC_ALL": "C"}
