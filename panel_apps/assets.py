"""The dashboards' own style sheet and script, at addresses that change with their content."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Response

from leitstand.errors import NotFound
from panel_apps.access import PREFIX
from serving.shell.assets import FOREVER, REVALIDATE

FOLDER = Path(__file__).parent / "assets"
SCRIPTS = ("api", "charts", "notes", "views", "choices")
MEDIA_TYPES = {"dashboards.css": "text/css; charset=utf-8", "dashboards.js": "text/javascript; charset=utf-8"}
router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Asset:
    """One file as it is served."""

    content: bytes
    media_type: str
    digest: str


@lru_cache(maxsize=len(MEDIA_TYPES))
def asset(name: str) -> Asset:
    """A file of the dashboards by name.

    Raises:
        NotFound: there is none of that name.
    """
    if name not in MEDIA_TYPES:
        raise NotFound("There is no such file.")
    content = file_text(name).encode()
    return Asset(content, MEDIA_TYPES[name], hashlib.sha256(content).hexdigest()[:16])


def file_text(name: str) -> str:
    """The text of a file; the script is several, each in a function of its own so that no name leaks."""
    if name != "dashboards.js":
        return (FOLDER / name).read_text()
    parts = [(FOLDER / f"{part}.js").read_text() for part in SCRIPTS]
    return "".join(f"(() => {{\n{part}}})();\n" for part in parts)


def asset_url(name: str) -> str:
    """The address of a file, which carries the hash of its content."""
    return f"{PREFIX}/assets/{name}?v={asset(name).digest}"


@lru_cache(maxsize=1)
def inner_styles() -> str:
    """What the inside of Panel's components needs besides the shell's style sheet."""
    return (FOLDER / "inner.css").read_text()


@router.get(f"{PREFIX}/assets/{{name}}")
def serve_asset(name: str, v: str = "") -> Response:
    """One file; kept for ever by browsers that asked for this very content."""
    found = asset(name)
    keep = FOREVER if v == found.digest else REVALIDATE
    return Response(found.content, media_type=found.media_type, headers={"Cache-Control": keep})
