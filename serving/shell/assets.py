"""Static files: the shell's own, put together by kind, and htmx out of its installed package.

The address of a file carries the hash of its content, so that browsers keep it for ever and never have an old one.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from leitstand.errors import NotFound, PreconditionFailed

STATIC = Path(__file__).parent.parent / "static"
STYLES = ("tokens", "base", "shell", "components", "tables", "forms", "palette", "pages", "print")
SCRIPTS = ("menu", "palette", "toasts", "forms", "passkeys", "canvas", "sorting", "uploads", "asking")
FOREVER = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"


@dataclass(frozen=True)
class Asset:
    """One static file as it is served."""

    content: bytes
    media_type: str
    digest: str


def _styles() -> bytes:
    return b"\n".join((STATIC / "css" / f"{name}.css").read_bytes() for name in STYLES)


def _scripts() -> bytes:
    """The scripts, each in a function of its own so that no name leaks."""
    parts = [(STATIC / "js" / f"{name}.js").read_bytes() for name in SCRIPTS]
    return b"".join(b"(() => {\n" + part + b"})();\n" for part in parts)


def _htmx() -> bytes:
    """htmx 2 from the package that carries it, found without importing it (it would want Django)."""
    spec = find_spec("django_htmx")
    if spec is None or not spec.submodule_search_locations:
        raise PreconditionFailed(
            "The package with htmx is not installed.", hint="Run `./run up` once: it makes the environment."
        )
    return (
        Path(spec.submodule_search_locations[0]) / "static" / "django_htmx" / "htmx-2.min.js"
    ).read_bytes()


SOURCES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "app.css": ("text/css; charset=utf-8", _styles),
    "app.js": ("text/javascript; charset=utf-8", _scripts),
    "htmx.js": ("text/javascript; charset=utf-8", _htmx),
    "icons.svg": ("image/svg+xml", (STATIC / "icons.svg").read_bytes),
    "logo.svg": ("image/svg+xml", (STATIC / "logo.svg").read_bytes),
}


@lru_cache(maxsize=len(SOURCES))
def asset(name: str) -> Asset:
    """A static file by name.

    Raises:
        NotFound: there is none of that name.
    """
    if name not in SOURCES:
        raise NotFound("There is no such file.")
    media_type, read = SOURCES[name]
    content = read()
    return Asset(content, media_type, hashlib.sha256(content).hexdigest()[:16])


def static_url(name: str) -> str:
    """The address of a static file, which changes with its content."""
    return f"/static/{name}?v={asset(name).digest}"
