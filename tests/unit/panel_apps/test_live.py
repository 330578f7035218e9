"""A page while it is open: it loads, says what went wrong, and ends with its session."""

from typing import Any
from uuid import UUID

import param
import pytest
from bokeh.document import Document
from sqlalchemy.exc import OperationalError

from leitstand.errors import Forbidden, InvalidInput, LeitstandError, NotSignedIn
from leitstand.identity.access import Principal, system_principal
from panel_apps.access import Visitor
from panel_apps.live import Live
from panel_apps.page import html_pane

DOWN = OperationalError("SELECT secret", {}, Exception("host=db password=hidden"))


class Asked(Visitor):
    """A visitor whose answer to "are you still there?" is given by the test."""

    answer: Exception | None = None

    def confirm(self, *, acting: bool = True) -> Principal:
        if Asked.answer is not None:
            raise Asked.answer
        return self.principal


class Scene:
    """A page whose load does what the test says."""

    def __init__(self) -> None:
        Asked.answer = None
        self.status = html_pane([])
        self.shown: list[Any] = []
        self.cleared = 0
        self.outcome: Any = "data"
        visitor = Asked(system_principal(UUID(int=1)), "insights:read", "token")
        self.live: Live[Any] = Live(
            visitor, load=self.load, show=self.shown.append, clear=self.clear, status=self.status
        )

    def load(self, *, acting: bool) -> Any:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return (self.outcome, acting)

    def clear(self) -> None:
        self.cleared += 1


def test_it_shows_what_it_loads() -> None:
    scene = Scene()
    scene.live.refresh()
    scene.live.refresh(acting=False)
    assert scene.shown == [("data", True), ("data", False)]


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (
            InvalidInput("That <b>can't</b> be.", hint="Do this."),
            "That &lt;b&gt;can&#x27;t&lt;/b&gt; be.</strong> Do this.",
        ),
        (DOWN, "The database does not answer."),
        (ZeroDivisionError("a secret of the code"), "it was logged"),
    ],
)
def test_a_failure_is_a_sentence_and_the_page_goes_on(failure: Exception, said: str) -> None:
    scene = Scene()
    scene.outcome = failure
    scene.live.refresh()
    assert said in str(scene.status.object)
    assert 'role="alert"' in str(scene.status.object)
    assert "secret" not in str(scene.status.object)
    assert "hidden" not in str(scene.status.object)
    assert scene.status.tags  # the script takes the page out of its busy state
    assert (scene.live.ended, scene.cleared) == (False, 0)
    scene.outcome = "again"
    scene.live.refresh()
    assert scene.shown == [("again", True)]


@pytest.mark.parametrize("failure", [NotSignedIn("Your session has ended."), Forbidden("Your role may not.")])
def test_without_a_session_or_permission_it_ends_and_keeps_nothing(failure: LeitstandError) -> None:
    scene = Scene()
    scene.live.refresh()
    scene.outcome = failure
    scene.live.refresh()
    assert scene.live.ended
    assert scene.cleared == 1
    assert failure.message in str(scene.status.object)
    scene.outcome = "data of a session that has ended"
    scene.live.refresh()
    assert len(scene.shown) == 1


def test_the_check_ends_a_page_that_does_nothing() -> None:
    scene = Scene()
    scene.live.check()
    assert not scene.live.ended
    Asked.answer = DOWN
    scene.live.check()
    assert not scene.live.ended  # a database that rests is no reason to send everybody away
    Asked.answer = NotSignedIn("Your session has ended.")
    scene.live.check()
    scene.live.check()
    assert scene.live.ended
    assert scene.cleared == 1


def test_a_changed_choice_refreshes_and_its_correction_does_not() -> None:
    class Store(param.Parameterized):
        word = param.String("")

    scene, store, document = Scene(), Store(), Document()
    scene.live.watch(document, store, ["word"])
    store.word = "chosen"
    pending = [
        callback for callback in document.session_callbacks if type(callback).__name__ == "NextTickCallback"
    ]
    assert len(pending) == 1

    def correct(*, acting: bool) -> str:
        store.word = "corrected"
        return store.word

    scene.live._load = correct
    scene.live.refresh()
    assert scene.shown == ["corrected"]
    assert len([one for one in document.session_callbacks if type(one).__name__ == "NextTickCallback"]) == 1
