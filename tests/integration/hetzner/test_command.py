"""`leitstand hetzner` as a person, or a pipeline, calls it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from leitstand.cli.hetzner import group
from leitstand.errors import Conflict, InvalidInput, PreconditionFailed
from leitstand.hetzner.description import FOLDER
from leitstand.hetzner.targets import target_of
from leitstand.settings import REPOSITORY, Settings, get_settings
from tests.hetzner_double import TOKEN, Double

SITE = FOLDER / "site.example.toml"
type Calls = Callable[..., Result]


@pytest.fixture
def command(double: Double, tmp_path: Path) -> "Command":
    """The command with a token in its secret file."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    token = secrets / "leitstand_hetzner_token_staging"
    token.write_text(f"{TOKEN}\n")
    token.chmod(0o600)
    return Command(double, tmp_path)


class Command:
    """Calls of `leitstand hetzner`, each a process of its own."""

    def __init__(self, double: Double, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("LEITSTAND_HETZNER")},
            "LEITSTAND_DATA_DIR": str(folder),
            "LEITSTAND_HETZNER_API": double.url,
            "PYTHONPATH": str(REPOSITORY),
        }

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """The command, running."""
        line = [sys.executable, "-P", "-m", "leitstand", "hetzner", *words, "--site", str(SITE)]
        return subprocess.Popen(
            line, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __call__(self, *words: str) -> tuple[int, str, str]:
        """Exit code, output and notes."""
        process = self.start(*words)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err


def test_killed_in_the_middle_the_same_command_goes_on(double: Double, command: Command) -> None:
    process = command.start("apply", "staging", "--yes", "staging")
    double.after = lambda method, path: path == "/servers" and os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert double.named("servers", "staging-1")["private_net"] == []
    double.after = lambda method, path: None

    code, out, err = command("apply", "staging", "--yes", "staging")

    assert (code, out.splitlines()[-1]) == (0, "Done.")
    assert double.named("servers", "staging-1")["private_net"][0]["ip"] == "10.30.1.10"
    assert len(double.kept["servers"]) == 1
    assert TOKEN not in out + err
    assert TOKEN not in "".join(str(body) for _, _, body in double.calls)


@pytest.fixture
def staging(double: Double, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
    """The commands in this process, with the token of staging's project."""
    monkeypatch.setenv("LEITSTAND_HETZNER_TOKEN_STAGING", TOKEN)
    monkeypatch.setenv("LEITSTAND_HETZNER_API", double.url)
    monkeypatch.setenv("LEITSTAND_DATA_DIR", str(tmp_path))
    get_settings.cache_clear()
    yield lambda *words: CliRunner().invoke(group, [words[0], "staging", *words[1:], "--site", str(SITE)])
    get_settings.cache_clear()


def test_the_plan_tells_what_a_month_costs(double: Double, staging: Calls) -> None:
    done = staging("plan", "--json")

    cost = json.loads(done.stdout)["cost"]
    assert done.exit_code == 0
    # 10.49 for the host, 50 GB at 0.044, 0.50 for its address; and 19 % on it.
    assert (cost["net"], cost["gross"], cost["currency"], cost["complete"]) == ("13.19", "15.70", "EUR", True)
    assert "A month: 13.19 EUR net, 15.70 with 19.00 % VAT" in staging("cost").stdout
    assert double.changes() == []


def test_nothing_is_made_without_its_name(double: Double, staging: Calls) -> None:
    done = staging("apply", "--yes", "production")

    assert isinstance(done.exception, InvalidInput)
    assert double.changes() == []


def test_a_refusal_is_shown_and_told_by_the_exit_code(double: Double, staging: Calls) -> None:
    double.new("volumes", name="staging-data", size=50, location="fsn1")

    done = staging("plan")

    assert done.exit_code == 1
    assert "! refuse  volume           staging-data" in done.stdout
    assert "leitstand-environment=staging" in done.stdout
    assert isinstance(staging("apply", "--yes", "staging").exception, Conflict)
    assert double.changes() == []


def test_what_was_made_is_listed_and_nothing_of_it_is_deleted(double: Double, staging: Calls) -> None:
    first = staging("apply", "--yes", "staging")
    assert first.stdout.endswith("Done.\n")
    assert staging("apply").stdout.endswith("Nothing to do.\n"), "nobody is asked where nothing is to do"
    made = len(double.changes())
    address = double.named("primary_ips", "staging-ipv4")["ip"]

    assert json.loads(staging("addresses", "--json").stdout) == {"staging-ipv4": address}
    fates = {each["name"]: each for each in json.loads(staging("destroy-plan", "--json").stdout)["things"]}
    listed = staging("destroy-plan").stdout

    assert [fates[name]["holds_data"] for name in ("staging-data", "staging-1", "staging-public")] == [
        True,
        True,
        False,
    ]
    assert list(fates)[-1] == "anna", "what was made first would go last"
    assert "Nothing was deleted" in listed
    assert len(double.changes()) == made


def test_a_token_that_others_may_read_is_not_used(double: Double, tmp_path: Path) -> None:
    own = Settings(data_dir=tmp_path, hetzner_api=double.url)
    with pytest.raises(PreconditionFailed, match="no leitstand_hetzner_token_staging"):
        target_of(own, "staging", SITE)
    own.secrets_dir.mkdir()
    token = own.secrets_dir / "leitstand_hetzner_token_staging"
    token.write_text(TOKEN)
    token.chmod(0o644)

    with pytest.raises(PreconditionFailed, match="Others may read"):
        target_of(own, "staging", SITE)


def test_staging_with_the_keys_of_production_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEITSTAND_HETZNER_TOKEN_STAGING", "one token")
    monkeypatch.setenv("LEITSTAND_HETZNER_TOKEN_PRODUCTION", "one token")

    with pytest.raises(PreconditionFailed, match="the same token"):
        target_of(Settings(data_dir=tmp_path), "staging", SITE)


def test_a_token_is_not_sent_in_the_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEITSTAND_HETZNER_TOKEN_STAGING", "one token")

    with pytest.raises(PreconditionFailed, match="not sent to"):
        target_of(Settings(data_dir=tmp_path, hetzner_api="http://api.hetzner.cloud/v1"), "staging", SITE)
