"""The diagram of a flow: steps in layers from top to bottom, ways between them, all of it SVG with links."""

from collections import defaultdict
from dataclasses import dataclass
from html import escape
from statistics import mean
from urllib.parse import urlencode

from leitstand.words import N_
from panel_apps.flow.graph import Graph, Node, Way
from panel_apps.parts import share_of
from panel_apps.speech import duration, number, percent, say, told

WIDTH, HEIGHT = 208, 78
GAP_X, GAP_Y, MARGIN = 34, 58, 18
# How far a way goes out that passes other steps, at most.
BESIDE = 120
LONGEST_NAME = 24
KINDS = {"question": N_("Question"), "choice": N_("Choice"), "end": N_("End"), "seen": N_("Step")}


@dataclass(frozen=True)
class Place:
    """Where a step's box stands: its left upper corner."""

    x: float
    y: float

    @property
    def middle(self) -> float:
        """Its middle from left to right."""
        return self.x + WIDTH / 2


@dataclass(frozen=True)
class Layout:
    """Places of steps by name, and the size of the whole."""

    places: dict[str, Place]
    width: float
    height: float


def layers(graph: Graph) -> list[list[str]]:
    """The steps by layer: each below every step that leads forward to it.

    Forward is what goes on in the steps' own order; what goes back is drawn beside and moves nothing.
    """
    order = {node.name: at for at, node in enumerate(graph.nodes)}
    layer = dict.fromkeys(order, 0)
    forward = defaultdict(list)
    for way in graph.ways:
        if order[way.start] < order[way.end]:
            forward[way.end].append(way.start)
    for name in order:
        layer[name] = max([0, *(layer[before] + 1 for before in forward[name])])
    found: list[list[str]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    for name in order:
        found[layer[name]].append(name)
    return _untangled(found, forward, {node.name: node.reached for node in graph.nodes})


def layout(graph: Graph) -> Layout:
    """Places for every step: each layer begins at the left, where the way that most take goes down."""
    rows = layers(graph)
    most = max((len(row) for row in rows), default=1)
    width = most * WIDTH + (most - 1) * GAP_X + 2 * MARGIN + BESIDE
    places = {}
    for depth, row in enumerate(rows):
        for at, name in enumerate(row):
            places[name] = Place(MARGIN + at * (WIDTH + GAP_X), MARGIN + depth * (HEIGHT + GAP_Y))
    return Layout(places, width, 2 * MARGIN + len(rows) * HEIGHT + max(0, len(rows) - 1) * GAP_Y)


def svg(graph: Graph, *, chosen: str, title: str) -> str:
    """The diagram; every step is a link that chooses it.

    Args:
        chosen: the step whose runs are shown.
        title: names the diagram to a screen reader.
    """
    found = layout(graph)
    most = max([1, *(way.runs for way in graph.ways)])
    lines = "".join(_way(way, found, most) for way in graph.ways)
    boxes = "".join(
        _box(node, found.places[node.name], graph.widest, node.name == chosen) for node in graph.nodes
    )
    return (
        f'<div class="diagram" tabindex="0" role="group" aria-label="{escape(title)}">'
        f'<svg role="group" aria-label="{say("Steps")}" viewBox="0 0 {found.width:.0f} {found.height:.0f}" style="--natural:{found.width:.0f}px">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto" '
        'markerUnits="userSpaceOnUse"><path d="M0 0L8 4L0 8z"></path></marker></defs>'
        f"{lines}{boxes}</svg></div>"
    )


def said(node: Node) -> str:
    """A step in a sentence, for its tooltip and for a screen reader."""
    counts = {
        "kind": told(KINDS[node.kind]),
        "name": node.name,
        "reached": number(node.reached),
        "dropped": number(node.dropped),
        "share": percent(share_of(node.dropped, node.reached)),
    }
    if node.median is None:
        return say("{kind} {name}: {reached} runs reached it, {dropped} ({share}) no later step.", **counts)
    return say(
        "{kind} {name}: {reached} runs reached it, {dropped} ({share}) no later step, half of {on} went on within {time}.",
        **counts, on=number(node.went_on), time=duration(node.median),
    )  # fmt: skip


def _untangled(
    rows: list[list[str]], forward: dict[str, list[str]], reached: dict[str, int]
) -> list[list[str]]:
    """Within each layer, steps below those that lead to them, so that few ways cross; most runs at the left."""
    place: dict[str, float] = {}
    for row in rows:
        known = {name: [place[before] for before in forward[name] if before in place] for name in row}
        row.sort(key=lambda name: (mean(known[name]) if known[name] else 0.0, -reached[name]))
        place.update({name: float(at) for at, name in enumerate(row)})
    return rows


def _way(way: Way, found: Layout, most: int) -> str:
    start, end = found.places[way.start], found.places[way.end]
    wide = 1.2 + 5 * way.runs / most
    back = end.y <= start.y
    path, middle = (
        _beside(start, end, found) if back or end.y - start.y > HEIGHT + GAP_Y else _down(start, end)
    )
    look = "way back" if back else "way" if way.runs else "way unused"
    words = say(
        "{count} runs went from {start} to {end}", count=number(way.runs), start=way.start, end=way.end
    )
    return (
        f'<g class="{look}"><title>{escape(words)}</title><path d="{path}" stroke-width="{wide:.1f}" marker-end="url(#tip)"></path>'
        f'<text x="{middle[0]:.0f}" y="{middle[1]:.0f}">{number(way.runs)}</text></g>'
    )


def _down(start: Place, end: Place) -> tuple[str, tuple[float, float]]:
    """The way to a step in the next layer, and where its number stands."""
    x1, y1, x2, y2 = start.middle, start.y + HEIGHT, end.middle, end.y - 2
    bend = (y2 - y1) / 2
    path = f"M{x1:.0f} {y1:.0f}C{x1:.0f} {y1 + bend:.0f} {x2:.0f} {y2 - bend:.0f} {x2:.0f} {y2:.0f}"
    return path, ((x1 + x2) / 2, (y1 + y2) / 2 + 4)


def _beside(start: Place, end: Place, found: Layout) -> tuple[str, tuple[float, float]]:
    """The way past the layers between two steps, or back: beside the boxes that stand there."""
    top, bottom = min(start.y, end.y), max(start.y, end.y)
    passed = [place for place in found.places.values() if top <= place.y <= bottom]
    side = max(place.x for place in passed) + WIDTH + BESIDE * min(1.0, 0.4 + (bottom - top) / 1300)
    x1, y1, x2, y2 = start.x + WIDTH, start.y + HEIGHT / 2, end.x + WIDTH + 2, end.y + HEIGHT / 2
    path = f"M{x1:.0f} {y1:.0f}C{side:.0f} {y1:.0f} {side:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
    # Of a curve whose inner points lie at `side`, the middle lies three quarters of the way there.
    return path, ((x1 + x2) / 8 + 0.75 * side, (y1 + y2) / 2 + 4)


def _box(node: Node, place: Place, widest: int, chosen: bool) -> str:
    query = escape(urlencode({"step": node.name, "page": "1"}))
    stay = (
        say("½ on within {time}", time=duration(node.median))
        if node.median is not None
        else told(KINDS[node.kind])
    )
    fill = node.reached / widest * WIDTH
    dropped = f"−{number(node.dropped)} ({percent(share_of(node.dropped, node.reached), 0)})"
    name = node.name if len(node.name) <= LONGEST_NAME else f"{node.name[: LONGEST_NAME - 1]}…"
    look = f"step {node.kind}{' chosen' if chosen else ''}"
    current = ' aria-current="true"' if chosen else ""
    return (
        f'<a href="?{query}" data-choose="{query}" class="{look}" aria-label="{escape(said(node))}"{current} '
        f'transform="translate({place.x:.0f} {place.y:.0f})"><title>{escape(said(node))}</title>'
        f'<rect class="box" width="{WIDTH}" height="{HEIGHT}" rx="9"></rect>'
        f'<rect class="full" width="{fill:.1f}" height="5" y="{HEIGHT - 5}" rx="2"></rect>'
        f'<text class="name" x="12" y="23">{escape(name)}</text>'
        f'<text x="12" y="44">{escape(say("{count} reached", count=number(node.reached)))}</text>'
        f'<text class="drop" x="{WIDTH - 12}" y="44" text-anchor="end">{"" if node.kind == "end" else dropped}</text>'
        f'<text class="stay" x="12" y="62">{escape(stay)}</text></a>'
    )
