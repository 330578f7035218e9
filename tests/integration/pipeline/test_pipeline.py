"""The steps of a pipeline: over a real sshd with a forced command, and against what a server really answers."""

import getpass
import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from leitstand.settings import REPOSITORY, Settings
from tests import live
from tests.apps import web_app
from tests.services import free_base_port
from tests.waiting import wait_until

PIPELINE = REPOSITORY / "deploy" / "pipeline"
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
IMAGE = f"ghcr.io/example/leitstand@sha256:{'a' * 64}"
SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin")


def pipeline(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """One step, with these variables."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("RELEASE_")}
    return subprocess.run(
        [str(PIPELINE), *words],
        check=False,
        env=own | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


# --- the server ---


@pytest.fixture
def server(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A real sshd where one key has one command, which tells what it was asked for; the variables to reach it."""
    if SSHD is None:
        pytest.skip("no sshd here")
    for name in ("host", "key"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)]
        subprocess.run(command, check=True)
    port = free_base_port()
    script = tmp_path / "asked"
    script.write_text('#!/bin/sh\nprintf "asked: %s\\n" "$SSH_ORIGINAL_COMMAND"\n')
    script.chmod(0o755)
    (tmp_path / "authorized").write_text(f'restrict,command="{script}" {(tmp_path / "key.pub").read_text()}')
    (tmp_path / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path / 'host'}\nPidFile none\nStrictModes no\n"
        f"AuthorizedKeysFile {tmp_path / 'authorized'}\nUsePAM no\nPermitRootLogin forced-commands-only\n"
        "PasswordAuthentication no\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(tmp_path / "config")], stderr=subprocess.PIPE)
    host_key = " ".join((tmp_path / "host.pub").read_text().split()[:2])
    try:
        yield {
            "RELEASE_HOST": "127.0.0.1",
            "RELEASE_PORT": str(port),
            "RELEASE_USER": getpass.getuser(),
            "RELEASE_SSH_KEY": (tmp_path / "key").read_text(),
            "RELEASE_KNOWN_HOSTS": f"[127.0.0.1]:{port} {host_key}",
        }
    finally:
        process.terminate()
        process.wait(10)


def _answering(**environment: str) -> "subprocess.CompletedProcess[str]":
    """The status, as soon as sshd listens."""

    def answered() -> "subprocess.CompletedProcess[str] | None":
        answer = pipeline("status", **environment)
        return answer if answer.returncode == 0 else None

    return wait_until(answered, limit=15)


@pytest.mark.skipif(os.getuid() != 0, reason="sshd signs others in only as root")
def test_what_is_asked_of_the_server_is_one_command(server: dict[str, str]) -> None:
    assert _answering(**server).stdout == "asked: release status --json\n"

    released = pipeline("release", IMAGE, "pass.token", RELEASE_BY="an na/1;rm", **server)

    assert released.stdout == f"asked: release start {IMAGE} --pass pass.token --by an-na/1-rm\n"
    assert pipeline("passed", IMAGE, **server).stdout == f"asked: release promote-check {IMAGE}\n"
    assert pipeline("rollback", **server).stdout == "asked: release rollback --by pipeline\n"
    other = server | {"RELEASE_KNOWN_HOSTS": "127.0.0.1 ssh-ed25519 " + "A" * 68}
    refused = pipeline("status", **other)
    assert refused.returncode != 0, "another host key is another server"
    assert "asked" not in refused.stdout


@pytest.mark.parametrize(
    "image", ["leitstand:latest", "leitstand", f"leitstand@sha256:{'a' * 63}", f"{IMAGE};id"]
)
def test_only_a_digest_is_released(image: str) -> None:
    refused = pipeline("release", image)

    assert refused.returncode == 2
    assert "by its digest" in refused.stderr


def test_without_a_key_nothing_is_asked() -> None:
    refused = pipeline("release", IMAGE)

    assert refused.returncode == 3
    assert "RELEASE_SSH_KEY" in refused.stderr


# --- what is served ---

HEADERS = {
    "Content-Security-Policy": "default-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "X-Request-ID": "01JABC",
}


class Served:
    """What a server answers; `failing` requests of its next ones get a 502."""

    def __init__(self) -> None:
        self.headers, self.page, self.failing, self.open = dict(HEADERS), "<form></form>", 0, set[str]()
        self.asked, self.url = 0, ""


@pytest.fixture
def served() -> Iterator[Served]:
    """A server on this machine that answers as told."""
    told = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked += 1
            path = self.path.split("?")[0]
            status = 200 if path == "/sign-in" or path in told.open else 404
            if told.failing:
                told.failing, status = told.failing - 1, 502
            self.send_response(status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(told.page.encode())

        def log_message(self, *arguments: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    told.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield told
    finally:
        server.shutdown()


def test_the_smoke_test_sees_what_is_missing(served: Served) -> None:
    assert pipeline("smoke", served.url).returncode == 0
    served.open = {"/metrics"}
    assert "open to everybody" in pipeline("smoke", served.url).stderr
    served.open, served.page = set(), "nothing"
    assert "no form" in pipeline("smoke", served.url).stderr
    del served.headers["X-Request-ID"]
    assert "no x-request-id" in pipeline("smoke", served.url).stderr
    served.failing = 1
    assert pipeline("smoke", served.url).returncode != 0


def test_the_real_sign_in_is_what_the_smoke_test_wants(settings: Settings) -> None:
    with live.served(web_app()) as url:
        tried = pipeline("smoke", url)

    # Its page and its headers are; without the proxy before it, its figures are open.
    assert tried.stderr == f"error: {url}/metrics is open to everybody.\n"


def test_one_failed_answer_fails_the_load_test(served: Served) -> None:
    well = pipeline("load", served.url, "60")
    assert (well.returncode, well.stdout, served.asked) == (0, "load: 60 requests, 0 failed\n", 60)
    served.failing = 1
    badly = pipeline("load", served.url, "60")
    assert (badly.returncode, badly.stdout) == (1, "load: 60 requests, 1 failed\n")


# --- the files of the pipeline ---


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_pins_what_it_uses_and_may_do_nothing_by_itself(path: Path) -> None:
    text = path.read_text()

    used = re.findall(r"uses: (\S+)", text)
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", each) for each in used)
    assert "\npermissions: {}\n" in text
    assert text.count("persist-credentials: false") == sum("checkout" in each for each in used)
    steps = set(re.findall(r"deploy/pipeline ([a-z]+)", text))
    assert steps <= _steps()


def _steps() -> set[str]:
    """The steps that the script knows."""
    known = re.findall(r"^    ([a-z]+/\S[^)]*)\)", PIPELINE.read_text(), re.M)
    return {word.split("/")[0] for line in known for word in line.split(" | ")}


def test_production_needs_staging_and_its_pass() -> None:
    text = (REPOSITORY / ".github" / "workflows" / "release.yml").read_text()
    production = text[text.index("\n  production:") :]

    assert "needs: [build, staging]" in production
    assert 'release "$IMAGE" "$PASS"' in production
    assert "deploy/pipeline build" not in production, "it is built once"
    assert text.count("deploy/pipeline build") == 1


# --- others' images ---


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The files that name images, and a Docker that knows a digest for every one but `unknown`."""
    deploy, programs = tmp_path / "deploy", tmp_path / "bin"
    deploy.mkdir()
    programs.mkdir()
    for path in (
        PIPELINE,
        REPOSITORY / "deploy" / "bases.env",
        *sorted((REPOSITORY / "deploy").glob("compose*.yaml")),
    ):
        shutil.copy(path, deploy)
    docker = programs / "docker"
    docker.write_text(
        '#!/bin/sh\nfor word; do :; done\ncase $word in *unknown*) exit 1 ;; esac\nprintf "sha256:"; printf %s "$word" | sha256sum | cut -c 1-64\n'
    )
    docker.chmod(0o755)
    return deploy


def pin(deploy: Path) -> "subprocess.CompletedProcess[str]":
    variables = {**os.environ, "PATH": f"{deploy.parent / 'bin'}:{os.environ['PATH']}"}
    return subprocess.run(
        [str(deploy / "pipeline"), "pin"],
        check=False,
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_pin_writes_the_digest_of_every_image_that_is_not_ours(copy: Path) -> None:
    before = (copy / "compose.monitoring.yaml").read_text()

    done = pin(copy)

    assert done.returncode == 0, done.stderr
    pinned = dict(line.split("@") for line in done.stdout.split())
    assert len(pinned) == 8, pinned
    for name, digest in pinned.items():
        assert digest == f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"
    after = (copy / "compose.monitoring.yaml").read_text()
    assert re.sub(r"@sha256:[0-9a-f]+", "", after) == re.sub(r"@sha256:[0-9a-f]+", "", before), "only digests"
    assert all(f"{name}@{digest}" in _named(copy) for name, digest in pinned.items())
    assert pin(copy).stdout == done.stdout, "twice is as once"


def test_pin_writes_nothing_where_one_image_is_not_known(copy: Path) -> None:
    path = copy / "compose.monitoring.yaml"
    path.write_text(path.read_text().replace("prom/node-exporter:v1.9.1", "prom/unknown:v1"))
    before = _named(copy)

    done = pin(copy)

    assert done.returncode == 1 and "can't be looked up" in done.stderr
    assert _named(copy) == before


def test_nothing_is_built_from_a_base_without_a_digest(copy: Path) -> None:
    (copy / "bases.env").write_text("BASE=postgres:18\n")
    subprocess.run(["git", "init", "-q"], cwd=copy.parent, check=True)
    subprocess.run(
        [
            "git",
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.org",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            "x",
        ],
        cwd=copy.parent,
        check=True,
    )

    done = subprocess.run(
        [str(copy / "pipeline"), "build", "example/leitstand", "1"],
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1 and "has no digest" in done.stderr


def _named(deploy: Path) -> str:
    return "".join(path.read_text() for path in sorted(deploy.iterdir()))


@pytest.mark.parametrize(
    ("tool", "planted", "said"),
    [
        ("actionlint", "runs-on: ubuntu-24.04", "runs-on: ubuntu-2404"),
        ("actionlint", "github.ref", "github.reff"),
        ("zizmor", "- run: ./run lint", "- run: echo ${{ github.head_ref }}"),
        ("zizmor", "@3d3c42e5aac5ba805825da76410c181273ba90b1", "@v7"),
    ],
)
def test_the_linters_find_what_was_planted(tmp_path: Path, tool: str, planted: str, said: str) -> None:
    text = (REPOSITORY / ".github" / "workflows" / "check.yml").read_text()
    assert planted in text
    path = tmp_path / ".github" / "workflows" / "check.yml"
    path.parent.mkdir(parents=True)
    program = str(Path(sys.executable).parent / tool)
    command = [program, str(path)] if tool == "actionlint" else [program, "--offline", "--quiet", str(path)]
    path.write_text(text)
    assert subprocess.run(command, check=False, capture_output=True, cwd=tmp_path).returncode == 0

    path.write_text(text.replace(planted, said))

    assert subprocess.run(command, check=False, capture_output=True, cwd=tmp_path).returncode != 0
