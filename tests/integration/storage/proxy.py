"""A TCP proxy that cuts connections in the middle of an answer."""

import contextlib
import socket
import threading
from types import TracebackType


class CuttingProxy:
    """Forwards 127.0.0.1:port to the store; each of the first `cuts` answers ends after `after` bytes.

    Args:
        target: port of the store.
        after: bytes of an answer that are let through before the cut.
        cuts: how many connections are cut; the later ones pass unharmed.
        reset: end with a reset instead of an orderly close.
    """

    def __init__(self, target: int, *, after: int, cuts: int, reset: bool = False) -> None:
        self.target, self.after, self.cuts, self.reset = target, after, cuts, reset
        self.done = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> "CuttingProxy":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            store = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self._upstream, args=(client, store), daemon=True).start()
            threading.Thread(target=self._downstream, args=(store, client), daemon=True).start()

    @staticmethod
    def _upstream(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                target.sendall(data)
        except OSError:
            pass
        finally:
            target.close()

    def _downstream(self, source: socket.socket, target: socket.socket) -> None:
        passed = 0
        try:
            while data := source.recv(16_384):
                if passed + len(data) > self.after and self._take_cut():
                    target.sendall(data[: max(0, self.after - passed)])
                    break
                passed += len(data)
                target.sendall(data)
        except OSError:
            pass
        finally:
            self._end(target)

    def _take_cut(self) -> bool:
        with self._lock:
            if self.done >= self.cuts:
                return False
            self.done += 1
            return True

    def _end(self, target: socket.socket) -> None:
        """Close; the other thread's read has to end first, or the system keeps the connection open."""
        if self.reset:
            target.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RD if self.reset else socket.SHUT_RDWR)
        target.close()
