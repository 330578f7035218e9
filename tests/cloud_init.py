"""The cloud-init of every server, held against cloud-init's own schema, and its files against the programs that read them.

What a missing program would have checked is said, and is not counted as passed.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import yaml

# What a program says where it may not look at the kernel, which tells nothing of the file.
NO_KERNEL = ("Operation not permitted", "Protocol not supported", "cache initialization failed")


def found(*command: str) -> str | None:
    """What is wrong by a program's word; an empty text where nothing is, None where it could not judge."""
    tool = shutil.which(command[0]) or shutil.which(command[0], path="/usr/sbin")
    if tool is None:
        return None
    done = subprocess.run([tool, *command[1:]], capture_output=True, text=True, check=False)
    said = f"{done.stdout}{done.stderr}".strip()
    if done.returncode == 0:
        return ""
    return None if any(words in said for words in NO_KERNEL) else said or f"exit code {done.returncode}"


def sshd(path: Path) -> str | None:
    """Whether sshd takes its file; it wants a host key to look at all."""
    key = path.with_name("host_key")
    if not key.exists() and found("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)) != "":
        return None
    Path("/run/sshd").mkdir(exist_ok=True)
    return found("sshd", "-t", "-f", str(path), "-h", str(key))


def is_json(path: Path) -> str | None:
    """Whether a file is JSON."""
    try:
        json.loads(path.read_text())
    except ValueError as error:
        return str(error)
    return ""


READERS: dict[str, tuple[str, Callable[[Path], str | None]]] = {
    "/etc/ssh/sshd_config.d/10-leitstand.conf": ("sshd", sshd),
    "/etc/nftables.conf": ("nft", lambda path: found("nft", "-c", "-f", str(path))),
    "/etc/docker/daemon.json": ("JSON", is_json),
    "/usr/local/bin/leitstand-release": ("shellcheck", lambda path: found("shellcheck", str(path))),
}


type Judge = Callable[[], str | None]


def judges(document: Path) -> Iterator[tuple[str, Judge]]:
    """Who has to look at what of one server."""
    schema = partial(found, "cloud-init", "schema", "--config-file", str(document))
    yield f"{document.name}: cloud-init's schema", schema
    for file in yaml.safe_load(document.read_text())["write_files"]:
        if file["path"] in READERS:
            reader, judge = READERS[file["path"]]
            path = document.with_name(f"{document.stem}{file['path'].replace('/', '_')}")
            path.write_text(file["content"])
            yield f"{document.name}: {file['path']} by {reader}", partial(judge, path)


def check(folder: Path) -> int:
    """Write each server's cloud-init into `folder` and have it judged; gives the exit code."""
    written = [sys.executable, "-P", "-m", "leitstand", "hetzner", "check", "--write", str(folder)]
    if code := subprocess.run(written, check=False).returncode:
        return code
    documents = sorted(folder.glob("*.yaml"))
    verdicts = [(what, judge()) for document in documents for what, judge in judges(document)]
    for what, said in verdicts:
        sys.stdout.write(
            f"{what}: {'not done, the program is missing' if said is None else said or 'good'}\n"
        )
    return 1 if not verdicts or any(said for _, said in verdicts) else 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        sys.exit(check(Path(name)))
