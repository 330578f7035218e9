"""Seconds, bytes and the highest memory of a command and all that it starts."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from leitstand.settings import REPOSITORY

SAMPLED_EVERY = 0.05


@dataclass
class Took:
    """What a step took; `figures` is what it said itself."""

    seconds: float = 0.0
    bytes: int = 0
    memory: int = 0
    figures: dict[str, Any] = field(default_factory=dict)

    def __add__(self, other: "Took") -> "Took":
        return Took(
            self.seconds + other.seconds,
            self.bytes + other.bytes,
            max(self.memory, other.memory),
            {**self.figures, **other.figures},
        )


def run(argv: list[str], *, environment: dict[str, str] | None = None, made: Path | None = None) -> Took:
    """Run a command to its end.

    Args:
        made: folder whose size is what it stored.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=REPOSITORY
    )
    memory = 0
    while process.poll() is None:
        memory = max(memory, _memory(process.pid))
        time.sleep(SAMPLED_EVERY)
    seconds = time.monotonic() - began
    out, errors = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"{argv[0]} failed: {errors.decode(errors='replace')[-2000:]}")
    size = sum(path.stat().st_size for path in made.rglob("*") if path.is_file()) if made else 0
    return Took(seconds, size, memory, {"said": out.decode(errors="replace")})


def own(*arguments: str) -> Took:
    """One of Leitstand's own steps, without the second in which Python starts."""
    took = run([sys.executable, "-m", "benchmarks.backups.own", *arguments], environment=dict(os.environ))
    figures = json.loads(took.figures["said"].splitlines()[-1])
    return Took(figures["seconds"], int(figures.get("bytes", 0)), took.memory, figures)


def _memory(pid: int) -> int:
    """What a process and all below it hold that nobody else does, in bytes."""
    total = 0
    try:
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            total += process.memory_info().rss
    except psutil.Error:
        return total
    return total
