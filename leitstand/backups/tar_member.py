"""Copies one member of a tar stream that passes by."""

import tarfile
from typing import IO

BLOCK = tarfile.BLOCKSIZE


class TarMember:
    """Fed with a tar stream, piece by piece, it writes the content of one member into `sink`; `found` when it was there.

    Only plain headers are understood (ustar, sizes in base 256), which is all that PostgreSQL writes.
    """

    def __init__(self, name: str, sink: IO[bytes]) -> None:
        self._name, self._sink = name, sink
        self._header = bytearray()
        self._content, self._padding = 0, 0
        self._wanted = False
        self.found = False

    def feed(self, data: bytes) -> None:
        """The next piece of the stream.

        Raises:
            tarfile.TarError: this is no tar stream.
        """
        view, at = memoryview(data), 0
        while at < len(view):
            if self._content:
                at += self._take_content(view[at:])
            elif self._padding:
                skipped = min(self._padding, len(view) - at)
                self._padding, at = self._padding - skipped, at + skipped
            else:
                part = view[at : at + BLOCK - len(self._header)]
                self._header += part
                at += len(part)
                if len(self._header) == BLOCK:
                    self._take_header()

    def _take_content(self, view: memoryview) -> int:
        piece = view[: self._content]
        if self._wanted:
            self._sink.write(piece)
        self._content -= len(piece)
        return len(piece)

    def _take_header(self) -> None:
        block, self._header = bytes(self._header), bytearray()
        if not any(block):  # the end is marked by empty blocks
            return
        member = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        self._content = member.size if member.isfile() else 0
        self._padding = -self._content % BLOCK
        self._wanted = member.name == self._name
        self.found = self.found or self._wanted
