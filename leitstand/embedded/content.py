"""What the demo's files are, without importing what reads them."""

import hashlib
from pathlib import Path


def fingerprint(folder: Path) -> str:
    """A digest that changes with any file below `folder`, its name or its content."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
