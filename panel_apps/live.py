"""What every dashboard does while it is open: load, show, say what went wrong, and end with the session."""

from collections.abc import Callable, Sequence
from html import escape
from typing import Any
from uuid import uuid4

import panel as pn
import param
from bokeh.document import Document
from sqlalchemy.exc import OperationalError

from leitstand.errors import Forbidden, LeitstandError, NotSignedIn
from leitstand.telemetry.context import bound
from leitstand.telemetry.logs import get_logger
from leitstand.words import N_, msg
from panel_apps.access import Visitor
from panel_apps.speech import say, speaking, told

CHECK_EVERY_MS = 30_000
log = get_logger("dashboards")


class Live[T]:
    """Keep a page's components in step with its data.

    Args:
        visitor: whose page it is.
        load: gets the data; asks anew whether the person (`acting` or not) may have it.
        show: puts it into the components.
        clear: takes everything out of the components.
        status: where the page says what it shows and what went wrong.
    """

    def __init__(
        self,
        visitor: Visitor,
        *,
        load: Callable[..., T],
        show: Callable[[T], None],
        clear: Callable[[], None],
        status: pn.pane.HTML,
    ) -> None:
        self.visitor = visitor
        self.ended = False
        self._load, self._show, self._clear, self._status = load, show, clear, status
        self._busy = False

    def refresh(self, *, acting: bool = True) -> None:
        """Load and show; every failure becomes a sentence on the page.

        Args:
            acting: whether the person asked for it, or the page by itself.
        """
        if self.ended or self._busy:
            return
        self._busy = True
        with bound() as identity, speaking(self.visitor.language):
            try:
                self._show(self._load(acting=acting))
            except (NotSignedIn, Forbidden) as error:
                self._end(error)
            except LeitstandError as error:
                self._say(error.message, error.hint)
            except OperationalError:
                log.exception("the database did not answer")
                self._say(N_("The database does not answer."), N_("Try again in a moment."))
            except Exception:
                log.exception("a dashboard failed")
                self._say(
                    N_("This could not be shown; it was logged."),
                    msg("Request {request_id}", request_id=identity["request_id"]),
                )
            finally:
                self._busy = False

    def check(self) -> None:
        """End the page when its session has ended."""
        if self.ended:
            return
        try:
            self.visitor.confirm(acting=False)
        except (NotSignedIn, Forbidden) as error:
            with speaking(self.visitor.language):
                self._end(error)
        except OperationalError:
            log.warning("the database did not answer")

    def watch(self, document: Document, store: param.Parameterized, choices: Sequence[str]) -> None:
        """Refresh when a choice of the store changes, and check from time to time.

        Both are callbacks of the document: Bokeh runs these in a thread of their own, with the document locked, so
        that no query holds up the event loop and no one else changes the components meanwhile.
        """

        def changed(*_: Any) -> None:
            if not self._busy:
                document.add_next_tick_callback(self.refresh)

        store.param.watch(changed, list(choices))
        document.add_periodic_callback(self.check, CHECK_EVERY_MS)

    def _end(self, error: LeitstandError) -> None:
        self.ended = True
        self._clear()
        again = escape(say("Load the page again"))
        self._say(error.message, error.hint, f'<a class="button" href="">{again}</a>')

    def _say(self, message: str, hint: str, action: str = "") -> None:
        self._status.object = f'<div class="callout bad" role="alert"><div><strong>{escape(told(message))}</strong> {escape(told(hint))} {action}</div></div>'
        # The page's script waits for a word from here to take the page out of its busy state.
        self._status.tags = [{"failed": str(uuid4())}]
