"""What services say of themselves, read from their answers."""

import json
import re
from collections.abc import Iterator

from leitstand.releases.asking import Answer
from leitstand.releases.host import OF_MACHINES, SLOW_SECONDS, Checks, Sample, Tried

# Service, what is tried, path, status, and a word that stands in the answer.
PAGES = (
    ("web", "sign-in page", "/sign-in", 200, 'type="password"'),
    ("api", "API refuses a stranger", "/api/v1/me", 401, "not-signed-in"),
)
LINE = re.compile(r"^(\w+)\{(.*)\} (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
REQUESTS, TIMES = "leitstand_http_requests_total", "leitstand_http_request_duration_seconds"
CHECK = "/proxyz"


def lines(metrics: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Name, labels and value of each line of Prometheus's text form that has labels."""
    for line in metrics.splitlines():
        if found := LINE.match(line):
            yield found[1], dict(LABEL.findall(found[2])), float(found[3])


def sample(metrics: str) -> Sample:
    """What a service has answered to people, from its metrics."""
    requests = errors = slow = 0.0
    for name, labels, value in lines(metrics):
        if labels.get("route") in OF_MACHINES:
            continue
        if name == REQUESTS:
            requests += value
            errors += value if labels.get("status", "").startswith("5") else 0
        elif name == f"{TIMES}_count":
            slow += value
        elif name == f"{TIMES}_bucket" and float(labels["le"]) == SLOW_SECONDS:
            slow -= value
    return Sample(int(requests), int(errors), int(slow))


def checks(metrics: str) -> Checks:
    """How the proxy's checks of a service went, from its metrics."""
    passed = refused = 0.0
    for name, labels, value in lines(metrics):
        if name == REQUESTS and labels.get("route") == CHECK:
            passed += value if labels["status"] == "200" else 0
            refused += value if labels["status"] != "200" else 0
    return Checks(int(passed), int(refused))


def unready(answer: Answer) -> str:
    """Why a service is not ready; empty: it is."""
    if answer.status == 200:
        return ""
    try:
        return str(json.loads(answer.body).get("output", "")) or f"answers {answer.status}"
    except (ValueError, AttributeError):
        return answer.body[:200] if not answer.status else f"answers {answer.status}"


def tried(name: str, path: str, expected: int, word: str, answer: Answer) -> Tried:
    """Whether a page is what it should be."""
    if answer.status != expected:
        said = answer.body[:100] if not answer.status else f"answers {answer.status}, expected {expected}"
        return Tried(name, False, f"{path} {said}")
    there = word in answer.body
    return Tried(name, there, f"{path} answers {expected}" + ("" if there else ", with another page"))
