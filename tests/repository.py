"""What must not stand in any tracked file: credentials, registries' hosts, absolute paths of a machine; nor ever have.

`python -m tests.repository` looks at every tracked file, `--staged` at what is about to be committed (the hook
`tests/hooks/pre-commit`), `--history` at the files that were ever added.
"""

import math
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
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
SECRETS = re.compile(
    "|".join(
        (
            r"AGE-SECRET-KEY-1[A-Z0-9]{50,}",
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
            r"\bAKIA[0-9A-Z]{16}\b",
            r"\b[sr]k_(?:live|test)_[0-9A-Za-z]{20,}",
            r"\bwhsec_[0-9A-Za-z+/=]{24,}",
            r"\b(?:gh[pousr]_[0-9A-Za-z]{36}|github_pat_\w{60,})",
            r"\bxox[abprs]-[0-9A-Za-z-]{20,}",
            r"\blst_[A-Za-z0-9_-]{43,}",
        )
    )
)
# What is called a secret and looks as if drawn by lot; shorter or plainer values are those of tests.
NAMED = re.compile(
    r"(?i)(?:password|passwd|secret|token|api_?key|access_?key|cipher_pass)\w*[\"']?\s*[:=]\s*[\"']?([A-Za-z0-9+/_=-]{24,})"
)
LEAST_ENTROPY = 4.0
# Says of a line that its value opens nothing, as detect-secrets has it.
ALLOWED = "pragma: allowlist " + "secret"
FILES = re.compile(
    r"(?:^|/)(?:\.env(?!\.example$)(?:\..*)?|id_(?:rsa|dsa|ecdsa|ed25519)|.*\.(?:agekey|p12|pfx|jks|key)|\.netrc|\.pgpass|secrets/leitstand_\w+)$"
)


def tracked(root: Path = ROOT) -> list[str]:
    """Every file that git tracks, but for the carried data."""
    return _without_data(_git(root, "ls-files", "-z"))


def staged(root: Path = ROOT) -> list[str]:
    """Every file that is about to be committed."""
    return _without_data(_git(root, "diff", "--cached", "--name-only", "--diff-filter=ACMR", "-z"))


def findings(root: Path = ROOT) -> list[str]:
    """One line for each thing that must go: file, line and what it is."""
    names = tracked(root)
    found = [f"{name}: is a file of secrets" for name in names if FILES.search(name)]
    for name in names:
        if (root / name).is_file():
            found += _in_text(name, (root / name).read_text(errors="replace"))
    return found


def staged_findings(root: Path = ROOT) -> list[str]:
    """The same of what is about to be committed, as it is staged."""
    names = staged(root)
    found = [f"{name}: is a file of secrets" for name in names if FILES.search(name)]
    for name in names:
        found += _in_text(name, _git(root, "show", f":{name}"))
    return found


def ever_added(root: Path = ROOT) -> list[str]:
    """Files of secrets that any commit has added, also those that are gone: what was committed once is known."""
    names = _git(root, "log", "--all", "--format=", "--name-only", "--diff-filter=A", "-z")
    return [
        f"{name}: a commit added this file of secrets" for name in _without_data(names) if FILES.search(name)
    ]


def _in_text(name: str, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{name}:{number}"
        yield from (f"{where}: names a package registry's host" for host in HOSTS if host in line)
        yield from (f"{where}: a path of some machine" for _ in PATHS.findall(line))
        if ALLOWED in line:
            continue
        if SECRETS.search(line) or any(_drawn_by_lot(value) for value in NAMED.findall(line)):
            yield f"{where}: looks like a credential"


def _drawn_by_lot(value: str) -> bool:
    """Whether letters, capitals and digits are mixed as a random value has them."""
    kinds = sum(bool(re.search(kind, value)) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    counts, length = Counter(value).values(), len(value)
    entropy = -sum(count / length * math.log2(count / length) for count in counts)
    return (entropy >= LEAST_ENTROPY and kinds == 3) or bool(
        re.fullmatch(r"(?=.*\d)(?=.*[a-f])[0-9a-f]{32,}", value)
    )


def _without_data(listed: str) -> list[str]:
    return sorted({name for name in listed.split("\0") if name and not name.startswith(DATA)})


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=True)
    return done.stdout.decode(errors="replace")


if __name__ == "__main__":
    wanted = {"--staged": staged_findings, "--history": ever_added}
    problems = wanted[sys.argv[1]]() if len(sys.argv) > 1 else [*findings(), *ever_added()]
    sys.stdout.write("".join(f"{line}\n" for line in problems))
    sys.exit(1 if problems else 0)
