"""Changes to a flow: each gives a flow that can be kept, loses nothing else, and can be taken back."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leitstand.companions.editing import DOWN, UP, added, begun, changed, leading_to, moved, removed
from leitstand.companions.flow import Flow, kept, parse_flow, problems, read_draft
from leitstand.companions.layout import HEIGHT, WIDTH, picture
from leitstand.companions.runner import advance, begin
from leitstand.companions.steps import CLOSING, KINDS, Input
from leitstand.errors import Conflict, InvalidInput, NotFound
from tests.unit.companions.test_steps import whole

GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "companion-flows.md"
EXAMPLES = re.findall(r"## (\w+)\n.*?```json\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


def flow() -> Flow:
    return parse_flow(whole())


def names(of: Flow) -> list[str]:
    return [step.name for step in of.steps]


@pytest.mark.parametrize("after", ["", "zero", "told", "party"])
def test_a_new_step_stands_on_the_way_that_led_on(after: str) -> None:
    step = {"kind": "message", "name": "new", "text": "New."}
    more = added(flow(), step, after=after)
    assert problems(more) == []
    before = flow().first if not after else flow().step(after).exits()[0]
    assert more.step("new").exits() == [before]
    assert more.first == ("new" if not after else "zero")
    assert removed(more, "new") == flow() or removed(more, "new").first == flow().first


def test_what_is_missing_is_kept_but_marked() -> None:
    draft = begun("Begun", {"kind": "question", "name": "who", "text": "Who?"})
    assert [fault["step"] for fault in problems(draft)] == ["who"]
    assert kept(draft)["draft"] is True and read_draft(kept(draft)).draft
    whole_ = added(draft, {"kind": "end", "name": "end", "text": "Bye."}, after="who")
    assert "draft" not in kept(whole_)
    choice = added(
        whole_, {"kind": "choice", "name": "or", "text": "Or?", "options": [{"value": "a"}]}, after="who"
    )
    assert any("leads nowhere" in fault["problem"] for fault in problems(choice))


def test_a_new_name_is_followed_by_everything_that_named_the_step() -> None:
    document = flow().step("party").model_dump(mode="json", exclude_unset=True) | {"name": "guests"}
    renamed = changed(flow(), "party", document)
    assert problems(renamed) == []
    text = json.dumps(renamed.document())
    assert "{{guests.people}}" in text and '"guests.people"' in text and "party" not in text
    back = changed(renamed, "guests", document | {"name": "party"})
    assert back == flow()


def test_what_can_not_be_done_says_why() -> None:
    with pytest.raises(InvalidInput, match="already"):
        added(flow(), {"kind": "end", "name": "bye", "text": "."}, after="told")
    with pytest.raises(InvalidInput, match="already"):
        changed(flow(), "told", {"kind": "end", "name": "bye", "text": "."})
    with pytest.raises(InvalidInput, match="text"):
        added(flow(), {"kind": "end", "name": "new", "text": ""}, after="told")
    with pytest.raises(Conflict, match="ask lead to it"):
        removed(flow(), "bye")
    with pytest.raises(Conflict, match="at least one"):
        removed(begun("One", {"kind": "end", "name": "end", "text": "."}), "end")
    for deed in (lambda: removed(flow(), "ghost"), lambda: moved(flow(), "ghost", UP)):
        with pytest.raises(NotFound):
            deed()
    assert leading_to(flow(), "party") == ["zero", "ask"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "up", "down", "remove"]), st.integers(0, 9), st.sampled_from(["message", "question", "end"])
        ),
        max_size=12,
    )
)  # fmt: skip
def test_any_changes_give_flows_that_are_kept_as_they_are(deeds: list[tuple[str, int, str]]) -> None:
    now = flow()
    for number, (deed, at, kind) in enumerate(deeds):
        name = names(now)[at % len(now.steps)]
        before = now
        try:
            match deed:
                case "add":
                    now = added(now, {"kind": kind, "name": f"n{number}", "text": "?"}, after=name)
                case "remove":
                    now = removed(now, name)
                case _:
                    now = moved(now, name, UP if deed == "up" else DOWN)
                    assert now.first == before.first and sorted(names(now)) == sorted(names(before))
                    assert [now.step(n) for n in names(before)] == before.steps
        except Conflict:
            continue
        assert read_draft(json.dumps(kept(now))).steps == now.steps
        drawn = picture(now)
        assert sorted(box.name for box in drawn.boxes) == sorted(names(now))
        places = {(box.x, box.y) for box in drawn.boxes}
        assert len(places) == len(now.steps)
        assert all(x + WIDTH <= drawn.width and y + HEIGHT <= drawn.height for x, y in places)


@pytest.mark.parametrize(("kind", "example"), EXAMPLES)
def test_the_guide_shows_each_kind_in_a_flow_that_runs(kind: str, example: str) -> None:
    shown = parse_flow(example)
    assert kind in {step.kind for step in shown.steps}
    state = begin(shown)
    for _ in range(5):
        step: Any = shown.step(state.step)
        if step.kind in CLOSING:
            break
        said = step.options[-1].value if step.kind == "choice" else '"4"' if isinstance(step, Input) else "4"
        state = advance(shown, state, said)
    assert shown.step(state.step).kind in CLOSING


def test_the_guide_has_every_kind() -> None:
    assert [kind for kind, _ in EXAMPLES] == list(KINDS)
