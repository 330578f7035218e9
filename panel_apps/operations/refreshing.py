"""The operations dashboard's own rhythm: services asked beside the page, a button, and a refresh from time to time."""

import time
from collections.abc import Callable, Sequence

import panel as pn
from bokeh.document import Document, without_document_lock
from sqlalchemy.exc import OperationalError

from leitstand.errors import LeitstandError
from leitstand.health.overview import ServiceState
from leitstand.telemetry.logs import get_logger
from panel_apps.live import Live
from panel_apps.operations.store import OperationsStore, Snapshot
from panel_apps.operations.views import OperationsView
from panel_apps.page import styles
from panel_apps.speech import say, speaking

TICK_MS = 5_000
log = get_logger("dashboards")


class Refreshing:
    """Refresh a page by hand and by the clock.

    Services are asked without the document's lock, because one that hangs takes two seconds, in which the page must
    go on.
    """

    def __init__(
        self, document: Document, live: Live[Snapshot], store: OperationsStore, view: OperationsView
    ) -> None:
        self.button = pn.widgets.Button(label=say("Refresh now"), stylesheets=styles(), margin=0)
        self._document, self._live, self._store, self._view = document, live, store, view
        self._refreshed = time.monotonic()
        self.button.on_click(self._pressed)
        document.add_periodic_callback(self._tick, TICK_MS)
        document.add_next_tick_callback(without_document_lock(self._ask_services))

    def refresh(self, *, acting: bool = True) -> None:
        """Load everything again."""
        self._refreshed = time.monotonic()
        self._live.refresh(acting=acting)
        if not self._live.ended:
            self._document.add_next_tick_callback(without_document_lock(self._ask_services))

    def _pressed(self, _: object) -> None:
        self._document.add_next_tick_callback(self.refresh)

    def _tick(self) -> None:
        every = int(self._store.refresh)
        if every and not self._live.ended and time.monotonic() - self._refreshed >= every:
            self.refresh(acting=False)

    def _ask_services(self) -> None:
        try:
            states = self._store.services()
        except (LeitstandError, OperationalError) as error:
            # The page itself says it at its next check.
            log.info("services were not asked", reason=type(error).__name__)
            return
        self._later(lambda: self._show_services(states))

    def _show_services(self, states: Sequence[ServiceState]) -> None:
        if not self._live.ended:
            with speaking(self._live.visitor.language):
                self._view.show_services(states)

    def _later(self, callback: Callable[[], None]) -> None:
        """Run with the document locked, unless its page has been closed meanwhile."""
        try:
            self._document.add_next_tick_callback(callback)
        except AttributeError:
            # Bokeh takes a closed document apart.
            context = self._document.session_context
            if context is not None and not context.destroyed:
                raise
