"""What must not stand in any tracked file: credentials, registries' hosts, absolute paths of a machine."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Real data and its documentation is carried as it came.
DATA = ("demo/",)
# Spelled in parts so that this file does not find itself.
HOSTS = (
    "py" + "pi.org",
    "python" + "hosted.org",
    "registry." + "npmjs",
    "deb." + "debian.org",
    "files." + "pythonhosted",
)
PATHS = re.compile(r"(?<![\w.])/(?:root|home/\w+|work)/\w")
SECRETS = re.compile(r"AGE-SECRET-KEY-1[A-Z0-9]{50,}|-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b")


def tracked() -> list[Path]:
    """Every file that git tracks, but for the carried data."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name and not name.startswith(DATA)]


def findings() -> list[str]:
    """One line for each thing that must go: file, line and what it is."""
    found = []
    for path in tracked():
        if not path.is_file():
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            where = f"{path.relative_to(ROOT)}:{number}"
            found += [f"{where}: names a package registry's host" for host in HOSTS if host in line]
            found += [f"{where}: a path of some machine" for _ in PATHS.findall(line)]
            found += [f"{where}: looks like a credential" for _ in SECRETS.findall(line)]
    return found


if __name__ == "__main__":
    problems = findings()
    sys.stdout.write("".join(f"{line}\n" for line in problems))
    sys.exit(1 if problems else 0)
