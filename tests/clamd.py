"""A double of ClamAV's clamd that speaks INSTREAM on a port of 127.0.0.1: it finds one word, and can be told to fail."""

import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

VIRUS = b"eicar"
NAME = "Eicar-Test-Signature"


@dataclass
class Clamd:
    """What the double does and saw; `answer` is said instead of a verdict."""

    address: str = ""
    answer: bytes = b""
    most: int = 1_000_000
    scanned: list[int] = field(default_factory=list)


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        double: Clamd = self.server.double  # type: ignore[attr-defined]
        if self.rfile.read(10) != b"zINSTREAM\0":
            self.wfile.write(b"UNKNOWN COMMAND\0")
            return
        data = b""
        while size := struct.unpack("!I", self.rfile.read(4))[0]:
            data += self.rfile.read(size)
            if len(data) > double.most:
                self.wfile.write(b"INSTREAM size limit exceeded. ERROR\0")
                return
        double.scanned.append(len(data))
        verdict = f"stream: {NAME} FOUND\0".encode() if VIRUS in data else b"stream: OK\0"
        self.wfile.write(double.answer or verdict)


@contextmanager
def clamd() -> Iterator[Clamd]:
    """A running double."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Handler) as server:
        double = Clamd(f"127.0.0.1:{server.server_address[1]}")
        server.daemon_threads = True
        server.double = double  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield double
        server.shutdown()
        thread.join()
