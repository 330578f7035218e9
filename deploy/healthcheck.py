"""Whether a service of this container answers: `python -S -E healthcheck.py PORT PATH [STATUS]` ends with 0 when it says so (200).

The image needs no shell and no other program for it, and the check costs milliseconds: containers are asked all the time.
"""

import socket
import sys

SECONDS = 4.0


def status(port: int, path: str) -> int:
    """The status of GET on this machine's own port."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        return int(connection.recv(64).split()[1])


if __name__ == "__main__":
    wanted = int(sys.argv[3]) if len(sys.argv) > 3 else 200
    try:
        answered = status(int(sys.argv[1]), sys.argv[2])
    except (OSError, ValueError, IndexError) as error:
        sys.exit(f"no answer: {type(error).__name__}")
    sys.exit(0 if answered == wanted else f"answers {answered}")
