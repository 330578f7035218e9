"""Planted secrets are found: in files, by a file's name, when about to be committed, and in what was committed once."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from leitstand.cli.docs import EXAMPLE, example
from leitstand.settings import Settings
from tests.repository import ROOT, ever_added, findings, staged_findings

# In parts, so that this file itself holds none.
PLANTED = {
    "age": "AGE-SECRET" + "-KEY-1" + "Q" * 58,
    "pem": "-----BEGIN EC " + "PRIVATE KEY-----",
    "aws": "AKIA" + "ABCDEFGHIJKLMNOP",
    "stripe": "sk_" + "live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "github": "ghp" + "_" + "a1B2" * 9,
    "own": "lst" + "_" + "x" * 43,
    "named": "LEITSTAND_DATABASE_" + "PASSWORD=" + "q7Zr2vX0pL9sKd4TfB1mWc8yHn3",
    "hex": "hetzner_" + 'token: "' + "0123456789abcdef" * 4 + '"',
}
HARMLESS = "password: str = field(default_factory=a_function_of_that_name)\nsecret = load_secret_from_the_file_here\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "harmless.py").write_text(HARMLESS)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    return subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=False)


def test_planted_secrets_are_found_and_nothing_else(repository: Path) -> None:
    assert findings(repository) == []
    for name, value in PLANTED.items():
        (repository / f"{name}.txt").write_text(f"first line\nx {value}\n")
    git(repository, "add", ".")
    assert staged_findings(repository) == findings(repository)
    assert findings(repository) == [f"{name}.txt:2: looks like a credential" for name in sorted(PLANTED)]


@pytest.mark.parametrize(
    "name",
    [
        ".env",
        "deploy/.env.production",
        "keys/offline.agekey",
        "id_ed25519",
        "secrets/leitstand_s3_secret_key",
    ],
)
def test_files_of_secrets_are_known_by_name_also_when_they_are_gone(repository: Path, name: str) -> None:
    (repository / name).parent.mkdir(parents=True, exist_ok=True)
    (repository / name).write_text("x\n")
    git(repository, "add", "-f", ".")
    assert staged_findings(repository) == [f"{name}: is a file of secrets"]
    git(repository, "commit", "-qm", "oh")
    git(repository, "rm", "-q", name)
    git(repository, "commit", "-qm", "gone")
    assert findings(repository) == []
    assert ever_added(repository) == [f"{name}: a commit added this file of secrets"]


def test_the_hook_refuses_the_commit(repository: Path) -> None:
    hook = (ROOT / "tests" / "hooks" / "pre-commit").read_text()
    # The checkout with the packages is this one; what is committed is the other.
    program = f'PYTHONPATH={ROOT} "{sys.executable}" -P -c "import tests.repository as r, sys; from pathlib import Path; p = r.staged_findings(Path.cwd()); print(p); sys.exit(bool(p))"'
    asked = 'PYTHONPATH=$repository "$repository/.venv/bin/python" -P -m tests.repository --staged'
    assert asked in hook
    place = repository / ".git" / "hooks" / "pre-commit"
    place.write_text(hook.replace(asked, program))
    place.chmod(0o755)
    (repository / "good.txt").write_text("nothing\n")
    git(repository, "add", "good.txt")
    assert git(repository, "commit", "-m", "good").returncode == 0
    (repository / "bad.txt").write_text(PLANTED["stripe"])
    git(repository, "add", "bad.txt")
    refused = git(repository, "commit", "-m", "bad")
    assert refused.returncode == 1 and "bad.txt:1: looks like a credential" in refused.stderr
    assert "good" in git(repository, "log", "-1", "--format=%s").stdout


def test_the_example_names_every_setting_and_holds_no_secret() -> None:
    text = example()
    assert EXAMPLE.read_text() == text
    for name, field in Settings.model_fields.items():
        variable = field.alias or f"LEITSTAND_{name.upper()}"
        wanted = (
            f"# a secret: secrets/{variable.lower()}"
            if isinstance(field.default, SecretStr)
            else f"#{variable}="
        )
        assert f"\n{wanted}" in text
    assert all(line.startswith("#") for line in text.splitlines() if line)
