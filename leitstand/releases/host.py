"""What a release does to a machine, whatever runs the services there."""

from dataclasses import dataclass
from typing import Protocol

BLUE, GREEN = "blue", "green"
COLOURS = (BLUE, GREEN)
# The services that there are of each colour: the proxy knows both, and asks the one that is in rotation.
HTTP = ("web", "api", "runtime", "query", "insights")
# Those of which there is one: they take no requests of people, and are exchanged after the switch.
SINGLE = ("prefect", "prefect-worker", "worker")
# Never requests of people.
OF_MACHINES = {"/livez", "/readyz", "/proxyz", "/metrics"}
SLOW_SECONDS = 1.0
ONE_SHOT_SECONDS = 1500


def other(colour: str) -> str:
    """The other colour."""
    return GREEN if colour == BLUE else BLUE


@dataclass(frozen=True)
class Tried:
    """One thing that was tried; `detail` says what came."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True)
class Sample:
    """What the services of a colour have answered since they were started.

    Args:
        requests: those of people. errors: by 5xx among them. slow: that took more than a second.
    """

    requests: int = 0
    errors: int = 0
    slow: int = 0

    def since(self, earlier: "Sample") -> "Sample":
        """What came after an earlier look."""
        return Sample(
            self.requests - earlier.requests, self.errors - earlier.errors, self.slow - earlier.slow
        )

    def __add__(self, more: "Sample") -> "Sample":
        return Sample(self.requests + more.requests, self.errors + more.errors, self.slow + more.slow)


@dataclass(frozen=True)
class Checks:
    """How often a service has told the proxy, which asks it again and again, that it takes requests, and that it does not.

    The proxy does by the next answer as it says, so a further one after a change proves that the change has come there.
    """

    passed: int = 0
    refused: int = 0


class Host(Protocol):
    """One machine. Each call may be made again, and then changes nothing; each has a time limit of its own.

    Every call raises `Unavailable` where the machine does not do what it is asked.
    """

    def free_bytes(self) -> int:
        """Disk space for images."""
        ...

    def infrastructure(self, image: str) -> None:
        """Have everything run that is not exchanged by a release: the database, the proxy (on the image) and the rest."""
        ...

    def running(self) -> dict[str, str]:
        """The image of each colour of which services run."""
        ...

    def pull(self, image: str) -> None:
        """Have the image here."""
        ...

    def one_shot(self, image: str, arguments: list[str], *, seconds: float = ONE_SHOT_SECONDS) -> str:
        """Run `leitstand ARGUMENTS` of the image to its end; what it printed on standard output."""
        ...

    def start(self, colour: str, image: str) -> None:
        """Have the services of a colour run on the image."""
        ...

    def stop(self, colour: str) -> None:
        """End the services of a colour, in order: requests under way are answered."""
        ...

    def singles(self, image: str) -> None:
        """Have the services of which there is one run on the image."""
        ...

    def not_ready(self, colour: str) -> dict[str, str]:
        """The services of a colour that are not ready, and what they say."""
        ...

    def smoke(self, colour: str) -> list[Tried]:
        """Try the colour itself, past the proxy."""
        ...

    def drain(self, colour: str) -> None:
        """Have the colour tell the proxy that it takes no more requests."""
        ...

    def admit(self, colour: str) -> None:
        """Have it tell the proxy that it does."""
        ...

    def checks(self, colour: str) -> dict[str, Checks]:
        """Of each service of a colour how the proxy's checks went since it was started; a service that is silent is absent."""
        ...

    def sample(self, colour: str) -> Sample:
        """What the colour has answered so far."""
        ...

    def alerts(self) -> list[str]:
        """Names of alerts that fire now; empty where nobody watches."""
        ...

    def discard(self, keep: set[str]) -> None:
        """Remove images of ours but those to keep."""
        ...

    def maintenance(self, page: str) -> None:
        """Have the proxy answer everybody with this page (503); empty: as usual again."""
        ...
