"""ClamAV's clamd: a stream of bytes in, a verdict out, by its documented INSTREAM command (clamd(8)).

The client sends `zINSTREAM` and a NUL, then chunks, each with its length before it (4 bytes, big endian), then a length
of zero. clamd answers `stream: OK`, `stream: NAME FOUND`, or an error, and a NUL.
"""

import socket
import struct
from collections.abc import Iterable
from contextlib import closing

from leitstand.errors import TooLarge, Unavailable
from leitstand.words import msg

CONNECT_SECONDS = 5.0
# clamd itself gives up after 120 s without a byte.
ANSWER_SECONDS = 300.0
LONGEST_ANSWER = 4096
HINT = "Check that clamd runs and listens at LEITSTAND_CLAMD_ADDRESS."


class TooLargeToScan(TooLarge):
    """The scanner takes no file of this size (StreamMaxLength in clamd.conf)."""


def scan(address: str, pieces: Iterable[bytes]) -> str:
    """The name of what a scanner finds in a file; empty where it finds nothing.

    Args:
        address: as the setting `clamd_address`.
        pieces: the file, none of them empty.

    Raises:
        Unavailable: the scanner is away, breaks off, or answers with an error: nothing is known of the file.
        TooLargeToScan: it takes no file of this size.
    """
    try:
        with closing(_connected(address)) as connection:
            answer = _ask(connection, pieces)
    except OSError as error:
        raise Unavailable(
            msg("The virus scanner can't be reached ({reason}).", reason=type(error).__name__), hint=HINT
        ) from error
    return _verdict(answer)


def _connected(address: str) -> socket.socket:
    if address.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(CONNECT_SECONDS)
        try:
            connection.connect(address.removeprefix("unix:"))
        except OSError:
            connection.close()
            raise
    else:
        host, _, port = address.rpartition(":")
        connection = socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS)
    connection.settimeout(ANSWER_SECONDS)
    return connection


def _ask(connection: socket.socket, pieces: Iterable[bytes]) -> str:
    try:
        connection.sendall(b"zINSTREAM\0")
        for piece in pieces:
            connection.sendall(struct.pack("!I", len(piece)) + piece)
        connection.sendall(struct.pack("!I", 0))
    except (BrokenPipeError, ConnectionResetError):
        # It says why it hung up, where it did so on purpose.
        if answer := _answer(connection):
            return answer
        raise
    return _answer(connection)


def _answer(connection: socket.socket) -> str:
    answer = b""
    while not answer.endswith(b"\0") and len(answer) < LONGEST_ANSWER:
        try:
            piece = connection.recv(LONGEST_ANSWER)
        except ConnectionResetError:
            break
        if not piece:
            break
        answer += piece
    return answer.rstrip(b"\0").decode("utf-8", "replace").strip()


def _verdict(answer: str) -> str:
    said = answer.removeprefix("stream:").strip()
    if said == "OK":
        return ""
    if said.endswith(" FOUND"):
        return said.removesuffix(" FOUND").strip()
    if "size limit exceeded" in said:
        raise TooLargeToScan(
            "The virus scanner takes no file of this size.",
            hint="An operator can raise StreamMaxLength in clamd.conf.",
        )
    raise Unavailable(
        msg("The virus scanner gave no verdict: {said}.", said=said[:200] or "it broke off"), hint=HINT
    )
