"""One use of a tool of somebody else's server."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Asked:
    """What is asked of which server, and how it is signed in to.

    Args:
        secret: what it signs in with, opened; empty: none.
        key: names this use, so that a server that knows such keys does it once.
        seconds: for all of it.
    """

    configuration: Mapping[str, Any]
    arguments: Mapping[str, Any]
    secret: str = field(repr=False)
    key: str
    seconds: float
