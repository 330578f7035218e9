"""Tells a person at the terminal what is being done and how long each step took."""

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Tell(Protocol):
    """Where steps are told."""

    def step(self, doing: str, done: str) -> AbstractContextManager[None]:
        """Tell that `doing` begins and, when the block ends well, that it is `done`."""

    def note(self, text: str, seconds: float | None = None) -> None:
        """Tell something at once."""


class Terminal:
    """On standard error: a spinner on a terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.interactive = self.console.is_terminal

    @contextmanager
    def step(self, doing: str, done: str) -> Iterator[None]:
        """Show that something is being done, then that it is done, with its time."""
        began = time.monotonic()
        if self.interactive:
            with self.console.status(doing):
                yield
        else:
            yield
        self.note(done, time.monotonic() - began)

    def note(self, text: str, seconds: float | None = None) -> None:
        """One line; `seconds` is the time that it took."""
        from rich.markup import escape

        if seconds is None:
            self.console.print(text, markup=False)
        else:
            mark = "[green]✓[/green]" if self.interactive else "ok"
            self.console.print(f"{mark} {escape(text):<46} {seconds:6.1f} s")
        sys.stderr.flush()
