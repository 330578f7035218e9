"""Ask addresses and print what they answer: run inside a container, for who can't reach its network.

    python -m leitstand.releases.asking SECONDS URL…

It imports nothing that takes time.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    """What came.

    Args:
        status: 0: nothing came; `body` says why.
    """

    status: int
    body: str


def ask(url: str, seconds: float) -> Answer:
    """GET an address, without following where it leads."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=seconds)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("GET", path or "/", headers={"Accept": "text/html, application/json, */*"})
        answer = connection.getresponse()
        return Answer(answer.status, answer.read().decode(errors="replace"))
    except (OSError, HTTPException) as error:
        return Answer(0, f"no answer: {type(error).__name__}")
    finally:
        connection.close()


def ask_all(urls: list[str], seconds: float) -> dict[str, Answer]:
    """All at once: the slowest says how long it takes."""
    with ThreadPoolExecutor(max(1, len(urls))) as pool:
        return dict(zip(urls, pool.map(lambda url: ask(url, seconds), urls), strict=True))


def main() -> None:
    """One JSON document: address -> status and body."""
    found = ask_all(sys.argv[2:], float(sys.argv[1]))
    json.dump({url: asdict(one) for url, one in found.items()}, sys.stdout)


if __name__ == "__main__":
    main()
