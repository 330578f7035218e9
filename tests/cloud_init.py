"""The cloud-init of every server, held against cloud-init's own schema where that tool is there."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

NOT_DONE = "not done: cloud-init is missing (apt-get install cloud-init); our own check of every key was done"


def check(folder: Path) -> int:
    """Write each server's cloud-init into `folder` and have its schema judge it; gives the exit code."""
    written = [sys.executable, "-P", "-m", "leitstand", "hetzner", "check", "--write", str(folder)]
    if code := subprocess.run(written, check=False).returncode:
        return code
    tool = shutil.which("cloud-init")
    if tool is None:
        sys.stdout.write(f"{NOT_DONE}\n")
        return 0
    files = sorted(folder.glob("*.yaml"))
    codes = [
        subprocess.run([tool, "schema", "--config-file", str(file)], check=False).returncode for file in files
    ]
    return 0 if files and not any(codes) else 1


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        sys.exit(check(Path(name)))
