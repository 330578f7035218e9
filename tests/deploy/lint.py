"""Checks of what is deployed that need no container engine: Dockerfiles, the proxies' configurations, the Compose files.

A check whose program is not here is said to be not done, and never counts as passed.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from pydantic import SecretStr

from leitstand.containers.programs import proxy_variables
from leitstand.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[2]
DEPLOY = REPOSITORY / "deploy"
BIN = Path(sys.executable).parent
ENGINE = DEPLOY / "testing" / "engine"
OVERLAYS = ("staging", "production")
MONITORING = DEPLOY / "compose.monitoring.yaml"
SAMPLE = {
    "LEITSTAND_ENVIRONMENT": "staging",
    "LEITSTAND_PUBLIC_URL": "https://leitstand.example.org",
    "LEITSTAND_S3_ENDPOINT": "https://objects:8333",
    "LEITSTAND_TLS_ISSUER": "operator@example.org",
    "LEITSTAND_IMAGE_BLUE": f"registry.example.org/leitstand@sha256:{'0' * 64}",
    "LEITSTAND_POSTGRES_IMAGE": f"registry.example.org/leitstand-postgres@sha256:{'0' * 64}",
}


def dockerfiles() -> str:
    """What hadolint finds."""
    files = sorted(str(path) for path in DEPLOY.rglob("Dockerfile"))
    return _said([str(BIN / "hadolint"), *files])


def proxies() -> str:
    """What Caddy finds in both configurations, with the variables that they get."""
    settings = Settings(
        public_url=SAMPLE["LEITSTAND_PUBLIC_URL"], service_port=8000, prefect_password=SecretStr("sample")
    )
    variables = {**os.environ, **SAMPLE, **proxy_variables(settings), "LEITSTAND_PORT": "8400"}
    caddy, found = str(BIN / "caddy"), ""
    for path in (DEPLOY / "caddy" / "Caddyfile", DEPLOY / "embedded" / "Caddyfile"):
        found += _said([caddy, "validate", "--adapter", "caddyfile", "--config", str(path)], variables)
    for path in (*DEPLOY.rglob("Caddyfile"), *DEPLOY.rglob("*.caddy")):
        found += _said([caddy, "fmt", "--diff", str(path)], variables)
    return found


def compose_files(program: list[str], variables: dict[str, str]) -> str:
    """What Compose finds in each overlay."""
    found = ""
    for overlay in OVERLAYS:
        paths = (DEPLOY / "compose.yaml", DEPLOY / f"compose.{overlay}.yaml", MONITORING)
        files = [word for path in paths for word in ("-f", str(path))]
        found += _said([*program, *files, "config", "--quiet"], {**variables, **SAMPLE})
    return found


def compose() -> tuple[list[str], dict[str, str]] | None:
    """Docker Compose: this machine's, else, where packages may be fetched, Debian's; None where there is neither."""
    variables = dict(os.environ)
    if shutil.which("docker") and not _said(["docker", "compose", "version"]):
        return ["docker", "compose"], variables
    if os.geteuid() or shutil.which("apt-get") is None:
        return None
    done = subprocess.run([str(ENGINE), "compose"], capture_output=True, text=True, check=False, timeout=300)
    program = done.stdout.strip()
    return ([program], variables) if done.returncode == 0 else None


def _said(argv: list[str], variables: dict[str, str] | None = None) -> str:
    """What a check printed where it ended badly; empty where it ended well."""
    done = subprocess.run(argv, env=variables, capture_output=True, text=True, check=False, timeout=120)
    return "" if done.returncode == 0 else f"{done.stdout}{done.stderr}\n"


def main() -> None:
    """One line a check that found something or was not done; ends with 1 where one found something."""
    found = dockerfiles() + proxies()
    program = compose()
    if program is None:
        print("  not done: Compose files (no Docker Compose here)")
    else:
        found += compose_files(*program)
    sys.stdout.write(found)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
