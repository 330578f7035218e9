"""The language of the reader: the person's own, else what the browser asks for."""

from contextvars import ContextVar

from leitstand.identity.access import Principal
from leitstand.words import DEFAULT, LANGUAGES, best_of
from serving.observe import App, Receive, Scope, Send

_asked: ContextVar[str] = ContextVar("language_asked", default=DEFAULT)
HEADER = b"accept-language"


class AskedLanguage:
    """Keep what the browser asks for while its request is answered; threads that answer it see it too."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            _asked.set(best_of(_header(scope)))
        await self.app(scope, receive, send)


def language_of(principal: Principal | None) -> str:
    """The language of a page for whoever asks, one of `leitstand.words.LANGUAGES`."""
    own = principal.language if principal else ""
    return own if own in LANGUAGES else _asked.get()


def _header(scope: Scope) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name.lower() == HEADER), "")
