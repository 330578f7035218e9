"""What a stranger within the private network gets from the object store: run by a container's Python, and needs nothing else.

Prints one JSON document: how many ports answer, and what none of them may have done.
"""

import http.client
import json
import socket
import ssl
import sys

PORTS = (8333, 18333, *range(8400, 8416), *range(18400, 18416))
ASKED = (
    ("GET", "/"),
    ("GET", "/buckets/"),
    ("GET", "/buckets/leitstand-backups/?limit=3"),
    ("PUT", "/buckets/leitstand-media/stranger"),
    ("DELETE", "/buckets/leitstand-media/stranger"),
)
REFUSED = 400
SECONDS = 3.0


def listens(host: str, port: int) -> bool:
    """Whether somebody takes connections there."""
    try:
        socket.create_connection((host, port), timeout=SECONDS).close()
    except OSError:
        return False
    return True


def answer(host: str, port: int, method: str, path: str, *, tls: bool) -> int:
    """The status of an answer; 0 where there was none."""
    context = ssl._create_unverified_context()
    connection = (
        http.client.HTTPSConnection(host, port, timeout=SECONDS, context=context)
        if tls
        else http.client.HTTPConnection(host, port, timeout=SECONDS)
    )
    try:
        connection.request(method, path, body=b"x" if method == "PUT" else None)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def main(host: str) -> None:
    """Ask every port in plain and over TLS."""
    ports = [port for port in PORTS if listens(host, port)]
    let_in = []
    for port in ports:
        for method, path in ASKED:
            for tls in (False, True):
                status = answer(host, port, method, path, tls=tls)
                if 0 < status < REFUSED:
                    let_in.append(f"{method} {port}{path}: {status}")
    sys.stdout.write(json.dumps({"ports": len(ports), "let_in": let_in}))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "objects")
