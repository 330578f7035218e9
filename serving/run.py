"""One of our HTTP services in the foreground of a container: `python -m serving.run web`.

SIGTERM: the service tells the proxy to send nothing more (`serving.rotation`), goes on answering for
LEITSTAND_DRAIN_SECONDS, then takes no new connection, and what it has begun may end within `GRACE_SECONDS`.
"""

import sys
import threading
from types import FrameType

import uvicorn

from leitstand.services import BY_NAME, FACTORIES
from leitstand.settings import get_settings
from serving import rotation

GRACE_SECONDS = 10


class Draining(uvicorn.Server):
    """A server that leaves the rotation before it ends; a second signal ends it at once."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called at SIGTERM and SIGINT."""
        seconds = get_settings().drain_seconds
        if not seconds or rotation.leaves() == "ending":
            super().handle_exit(sig, frame)
            return
        rotation.end_soon()
        later = threading.Timer(seconds, super().handle_exit, (sig, frame))
        later.daemon = True
        later.start()


def main(name: str) -> None:
    """Serve until told to stop."""
    settings = get_settings()
    service = BY_NAME[name]
    config = uvicorn.Config(
        FACTORIES[service],
        factory=True,
        host=settings.host,
        port=settings.port_of(service),
        # Only the proxy and our own services reach this network, and the proxy takes nobody's word for an address.
        proxy_headers=True,
        forwarded_allow_ips="*",
        server_header=False,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    Draining(config).run()


if __name__ == "__main__":
    main(sys.argv[1])
