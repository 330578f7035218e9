"""A Python client written from the OpenAPI document, as `./run client FOLDER` and its test make it."""

import json
import sys
import tempfile
from copy import deepcopy
from pathlib import Path
from typing import Any

from openapi_python_client import generate
from openapi_python_client.config import Config, ConfigFile, MetaType

from api.app import create

PACKAGE = "leitstand_client"
# Bodies that are sent as the bytes that they are.
AS_BYTES = ("application/offset+octet-stream", "application/x-ndjson", "text/csv")


def write(document: dict[str, Any], folder: Path, *, tidy: bool = True) -> list[str]:
    """Write the package `leitstand_client` and its pyproject.toml into a new folder.

    Args:
        document: the OpenAPI document; it stays as it is.
        tidy: formats what is written, which takes most of the time.

    Returns:
        What of the document the generator could not read, and whether the folder was there already; a line each.
    """
    wanted = ConfigFile(
        project_name_override="leitstand-client",
        package_name_override=PACKAGE,
        content_type_overrides=dict.fromkeys(AS_BYTES, "application/octet-stream"),
        post_hooks=None if tidy else [],
    )
    with tempfile.TemporaryDirectory() as place:
        source = Path(place) / "openapi.json"
        source.write_text(json.dumps(_with_files(document)))
        config = Config.from_sources(
            wanted, MetaType.UV, source, "utf-8", overwrite=False, output_path=folder
        )
        found = generate(config=config)
    return [" ".join(f"{one.header or ''} {one.detail or ''}".split()) for one in found]


def _with_files(document: dict[str, Any]) -> dict[str, Any]:
    """The document with lines and tables as files, where it tells of what a line of them is."""
    changed = deepcopy(document)
    for path in changed["paths"].values():
        for operation in path.values():
            for media, body in operation.get("requestBody", {}).get("content", {}).items():
                if media in AS_BYTES:
                    body["schema"] = {"type": "string", "format": "binary"}
    return changed


def main() -> None:
    """Write the client into the folder that the command names."""
    if len(sys.argv) != 2:
        sys.exit("usage: ./run client FOLDER")
    faults = write(create().openapi(), Path(sys.argv[1]))
    sys.exit("\n".join(faults) or None)


if __name__ == "__main__":
    main()
