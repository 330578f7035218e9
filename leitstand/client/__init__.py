"""A client that sends events: `Client(address, token).track(...)`, in the background and safe to repeat."""

from leitstand.client.buffer import Counters
from leitstand.client.client import Client

__all__ = ["Client", "Counters"]
