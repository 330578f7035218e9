"""A flow as a picture: its steps in layers by their distance from the beginning, and the ways between them."""

from dataclasses import dataclass

from leitstand.companions.flow import Flow

WIDTH, HEIGHT = 200, 76
GAP_X, GAP_Y, MARGIN = 36, 64, 28


@dataclass(frozen=True)
class Box:
    """A step's box; `x` and `y` are those of its upper left corner, in pixels; `reached` whether any run comes there."""

    name: str
    x: int
    y: int
    reached: bool


@dataclass(frozen=True)
class Way:
    """An arrow from one step to another, as an SVG path."""

    start: str
    end: str
    path: str


@dataclass(frozen=True)
class Picture:
    """Boxes from the beginning on, layer by layer, and the ways between them."""

    width: int
    height: int
    boxes: list[Box]
    ways: list[Way]


def layers(flow: Flow) -> tuple[list[list[str]], list[str]]:
    """Names of the steps by distance from the beginning, in ways; and of those that no way reaches."""
    found: list[list[str]] = []
    seen: set[str] = set()
    layer = [flow.first] if flow.first in flow.by_name else []
    while layer:
        seen |= set(layer)
        found.append(layer)
        following = dict.fromkeys(target for name in layer for target in flow.step(name).exits())
        layer = [name for name in following if name in flow.by_name and name not in seen]
    return found, [step.name for step in flow.steps if step.name not in seen]


def picture(flow: Flow) -> Picture:
    """Where everything stands; what leads to a step that there is not has no arrow."""
    found, lost = layers(flow)
    rows = [*found, lost] if lost else found
    width = max(len(row) for row in rows) * (WIDTH + GAP_X) - GAP_X + 2 * MARGIN
    at: dict[str, Box] = {}
    for number, row in enumerate(rows):
        left = (width - len(row) * (WIDTH + GAP_X) + GAP_X) // 2
        for place, name in enumerate(row):
            x, y = left + place * (WIDTH + GAP_X), MARGIN + number * (HEIGHT + GAP_Y)
            at[name] = Box(name, x, y, number < len(found))
    ways = [
        Way(name, target, _path(at[name], at[target]))
        for name in at
        for target in dict.fromkeys(flow.step(name).exits())
        if target in at
    ]
    height = 2 * MARGIN + len(rows) * (HEIGHT + GAP_Y) - GAP_Y
    return Picture(width, height, list(at.values()), ways)


def _path(start: Box, end: Box) -> str:
    """Down to the next layer in a curve; back or aside, out of the right side and in again there."""
    if end.y > start.y:
        x1, y1, x2, y2 = start.x + WIDTH // 2, start.y + HEIGHT, end.x + WIDTH // 2, end.y - 6
        bend = (y2 - y1) // 2
        return f"M {x1} {y1} C {x1} {y1 + bend}, {x2} {y2 - bend}, {x2} {y2}"
    x1, y1, x2, y2 = start.x + WIDTH, start.y + HEIGHT // 2, end.x + WIDTH + 6, end.y + HEIGHT // 2 + 8
    out = max(x1, x2) + GAP_X // 2
    return f"M {x1} {y1} C {out} {y1}, {out} {y2}, {x2} {y2}"
