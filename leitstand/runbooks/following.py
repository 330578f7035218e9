"""Follow the process that runs a notebook: tell which cell it is at, and end it when a limit is passed."""

import json
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Queue
from typing import IO, Any

import psutil

from leitstand.backups.work import Progress
from leitstand.errors import PreconditionFailed

TOLD_EVERY = 5.0
ENDING_SECONDS = 10
# Papermill itself interrupts a cell at its limit, and kills a kernel that does not care; this is for when it can't.
GRACE_SECONDS = 30


@dataclass(frozen=True)
class Limits:
    """Seconds for one cell and for the whole run."""

    cell: int
    run: int


@dataclass(frozen=True)
class Reached:
    """Where a run is: code cell `number` of `count`, under a heading; `output` is what the cell before it showed."""

    number: int
    count: int
    heading: str
    output: str = ""


class Following:
    """One process and what it says."""

    def __init__(
        self,
        process: "subprocess.Popen[str]",
        titles: list[str],
        limits: Limits,
        *,
        progress: Progress,
        on_cell: Callable[[Reached], None],
    ) -> None:
        self.process, self.titles, self.limits = process, titles, limits
        self.progress, self.on_cell = progress, on_cell
        self.began = self.cell_began = self.heading_began = time.monotonic()
        self.heading, self.output, self.number = "starting the kernel", "", 0
        self.tree: set[psutil.Process] = set()

    def follow(self, request: str) -> str | None:
        """Hand over the request and follow to the end; gives what Papermill said, None when it never came to that."""
        if self.process.stdin is None or self.process.stdout is None:
            raise PreconditionFailed("The notebook's process has no input or output.")
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        lines: Queue[str] = Queue()
        threading.Thread(target=_read_lines, args=(self.process.stdout, lines), daemon=True).start()
        self.progress(self.heading)
        while True:
            try:
                line = lines.get(timeout=min(TOLD_EVERY, self.limits.run))
            except Empty:
                line = None
            if line == "":
                return None
            if line is None:
                self.progress(f"{self.heading}: still at it, {time.monotonic() - self.heading_began:.0f} s")
            elif (error := self._take(json.loads(line) if line.startswith("{") else {})) is not None:
                return error
            if late := self._late():
                return late

    def end(self) -> None:
        """Its input ends, and it with it; what does not, and whatever it started, is killed."""
        self._look()
        if self.process.stdin:
            with suppress(BrokenPipeError):
                self.process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(0 if self._late() else ENDING_SECONDS)
        for one in self.tree:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        self.process.wait()
        psutil.wait_procs(self.tree, timeout=ENDING_SECONDS)
        # Only now: closing waits for the thread that reads, which waits for whoever still has the other end.
        if self.process.stdout:
            self.process.stdout.close()

    def _take(self, told: dict[str, Any]) -> str | None:
        if told.get("done"):
            return str(told["error"])
        if "output" in told:
            self.output = f"{self.output}\n{told['output']}".strip()
        if "cell" in told:
            self._look()
            self.cell_began = time.monotonic()
            heading = self.titles[told["cell"] % len(self.titles)]
            if heading and heading != self.heading:
                self.heading, self.heading_began = heading, self.cell_began
                self.progress(heading)
            if told["number"] > self.number:  # text has no number of its own
                self.number, shown = told["number"], self.output
                self.output = ""
                self.on_cell(Reached(self.number, told["count"], self.heading, shown))
        return None

    def _look(self) -> None:
        """Who belongs to it, while it can still be asked: a kernel that is stopped outlives its parent."""
        with suppress(psutil.NoSuchProcess):
            own = psutil.Process(self.process.pid)
            self.tree |= {own, *own.children(recursive=True)}

    def _late(self) -> str:
        now = time.monotonic()
        if now - self.began > self.limits.run:
            return f"The run took longer than {self.limits.run} s and was ended at: {self.heading}."
        if now - self.cell_began > self.limits.cell + GRACE_SECONDS:
            return f"A cell took longer than {self.limits.cell} s and was ended at: {self.heading}."
        return ""


def _read_lines(stream: IO[str], lines: "Queue[str]") -> None:
    """Every line, then an empty one; a stream that was closed on purpose ends as well."""
    with suppress(ValueError):
        for line in stream:
            lines.put(line)
    lines.put("")
