"""What is wrong with a page that is open: barriers that axe finds, what does not fit, what jumps, what stayed English."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, reduce
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from babel.messages.pofile import read_po
from playwright.sync_api import Page, ViewportSize

from leitstand.words import translations
from leitstand.words.locales import catalogue_path

WIDE, NARROW = ViewportSize(width=1440, height=900), ViewportSize(width=360, height=780)
AXE = Axe().axe_script
# The size of targets is asked for by WCAG 2.2, and off unless asked for.
OPTIONS = {
    "resultTypes": ["violations"],
    "elementRef": False,
    "rules": {"target-size": {"enabled": True}},
}
CONTRAST = OPTIONS | {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
# Above this, people notice that a page jumps while it loads (web.dev, Cumulative Layout Shift: good).
SHIFT = 0.1
# Words of which a German sentence has none.
ENGLISH = re.compile(
    r"\b(the|of|and|is|are|you|your|this|that|with|for|has|was|not|no|to|be|can|it|they|who"
    r"|january|february|march|june|july|october|december)\b",
    re.I,
)
# What a log says, in the words of the log.
QUOTED = re.compile(r'"[^"]*"')
LOOK = """() => {
  const skip = 'script, style, code, pre, textarea, [lang="en"], [translate="no"], svg, template', seen = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.replace(/\\s+/g, ' ').trim();
    if (text && !walker.currentNode.parentElement.closest(skip)) seen.add(text);
  }
  for (const one of document.querySelectorAll('[aria-label], [title], [placeholder]'))
    if (!one.closest(skip))
      for (const name of ['aria-label', 'title', 'placeholder']) if (one.getAttribute(name)) seen.add(one.getAttribute(name).trim());
  seen.add(document.title.replace(' · Leitstand', ''));
  return [...seen];
}"""
SHIFTED = """() => new Promise(done => {
  let sum = 0;
  new PerformanceObserver(list => { for (const one of list.getEntries()) sum += one.value; }).observe({ type: 'layout-shift', buffered: true });
  requestAnimationFrame(() => setTimeout(() => done(sum)));
})"""
PRINTED = """() => [...document.querySelectorAll('#navigation, .topbar, .toasts, form button')]
  .filter(one => one.offsetParent !== null || getComputedStyle(one).position === 'fixed' && getComputedStyle(one).display !== 'none').map(one => one.outerHTML.slice(0, 80))
  .concat(getComputedStyle(document.body).color === 'rgb(0, 0, 0)' ? [] : ['ink ' + getComputedStyle(document.body).color])"""
PARTS = """() => [...document.querySelectorAll('header, nav, main')].map(one => one.outerHTML)"""
# What differs between two renderings of the same page.
CHANGING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|[A-Za-z0-9_-]{40,}|\b\d+\b| aria-current=\"page\""
)


def violations(page: Page, options: dict[str, Any] = OPTIONS) -> list[str]:
    """What axe finds, as `rule: element`."""
    found = page.evaluate("options => axe.run(document, options).then(found => found.violations)", options)
    return [f"{rule['id']}: {node['html'][:200]}" for rule in found for node in rule["nodes"]]


def ready(page: Page) -> Page:
    """The page, once htmx waits for nothing: leaving it earlier is an error in its log."""
    page.wait_for_function("() => window.htmx && !document.querySelector('.htmx-request')")
    return page


def drawn(page: Page) -> None:
    """Wait until the page is shown as it was asked to be."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def fits(page: Page) -> bool:
    """Whether nothing is wider than the screen."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


@contextmanager
def shown(page: Page, size: ViewportSize, scheme: str) -> Iterator[None]:
    """The page in this width and this theme, in a window as high as itself; afterwards the window has this size.

    What sticks to the edge of a window covers what scrolling brings out, and would count as being in its way.
    """
    page.set_viewport_size(size)
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": size["width"], "height": max(size["height"], height)})
    drawn(page)
    yield
    page.set_viewport_size(size)


def barriers(page: Page) -> Iterator[str]:
    """By every rule wide and narrow, by that of contrast in the dark."""
    for size in (WIDE, NARROW):
        for scheme, options in (("light", OPTIONS), ("dark", CONTRAST)):
            with shown(page, size, scheme):
                found = violations(page, options)
            yield from (f"{size['width']} {scheme}: {one}" for one in found)
        if not fits(page):
            yield f"wider than {size['width']}"


def once(page: Page, *, narrow: bool) -> Iterator[str]:
    """The short form of `barriers`: in one width by every rule light, by that of contrast dark; in both it fits."""
    size, other = (NARROW, WIDE) if narrow else (WIDE, NARROW)
    with shown(page, size, "light"):
        found = [("light", one) for one in violations(page, OPTIONS)]
        page.emulate_media(color_scheme="dark")
        drawn(page)
        found += [("dark", one) for one in violations(page, CONTRAST)]
    yield from (f"{size['width']} {scheme}: {one}" for scheme, one in found)
    for width in (size, other):
        page.set_viewport_size(width)
        if not fits(page):
            yield f"wider than {width['width']}"


def english(page: Page, mine: tuple[str, ...] = ()) -> list[str]:
    """Texts of a German page that the catalogue has in German, or that read as English.

    Args:
        mine: texts that people wrote, which stay as they are.
    """
    known, found = translations("de"), []
    for seen in page.evaluate(LOOK):
        text = reduce(lambda left, own: left.replace(own, ""), mine, seen)
        said = QUOTED.sub("", text)
        untranslated = text and known.gettext(text) != text and text not in german()
        if untranslated or len({one.lower() for one in ENGLISH.findall(said)}) > 1:
            found.append(f"English: {text[:160]}")
    return found


@cache
def german() -> frozenset[str]:
    """Every German text of the catalogue: one may be an English one of another meaning."""
    with catalogue_path("de").open("rb") as file:
        return frozenset(one.string for one in read_po(file) if isinstance(one.string, str))


@dataclass
class Judge:
    """Looks at pages, and at what is the same on several of them once.

    Args:
        mine: texts that people wrote, in whatever language.
    """

    mine: tuple[str, ...] = ()
    seen: set[str] = field(default_factory=set)
    judged: int = 0

    def judge(self, page: Page) -> list[str]:
        """What is wrong with this page, each with where."""
        language = page.evaluate("document.documentElement.lang")
        found = [] if (shift := page.evaluate(SHIFTED)) <= SHIFT else [f"jumps by {shift:.2f}"]
        if self._new(page, language):
            self.judged += 1
            found += barriers(page)
            page.emulate_media(color_scheme="dark", media="print")
            found += [f"printed: {one}" for one in page.evaluate(PRINTED)]
            page.emulate_media(color_scheme="light", media="screen")
        if language == "de":
            found += english(page, self.mine)
        return found

    def _new(self, page: Page, language: str) -> bool:
        parts = {f"{language} {CHANGING.sub('', part)}" for part in page.evaluate(PARTS)}
        new = parts - self.seen
        self.seen |= parts
        return bool(new)
