"""Pictures of all dashboards, light and dark, wide and narrow, of the demo: for whoever looks over how they look.

    ./run screenshots --folder FOLDER [--url URL --email E-MAIL]

Without an address it starts an environment of its own, makes a backup and rehearses its restore (so that there is
something to see of operation), and stops it at the end. With one, the password is read from LEITSTAND_PASSWORD.
"""

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from leitstand.embedded.demo import SPACE
from panel_apps.serve import APPLICATIONS
from tests.browser.conftest import BROWSER, launch, sign_in
from tests.browser.dashboards import READY
from tests.stack import Stack, start_stack, stop_stack

WIDTHS = {"wide": 1440, "narrow": 390}
SCHEMES = ("light", "dark")
HEIGHT = 900
# Documents of the demo are read after the start.
READ, READ_SECONDS = {"ready", "failed"}, 240
# The addresses that show most of the demo's data; the rest begins with the range that it suggests.
FURTHER = {
    "/flow": "?step=FIN",
    "/overview": "?range=2013-02-01..2013-03-10",
    "/companion": "?range=2013-02-01..2013-03-10",
}


def take(browser: Browser, url: str, email: str, password: str, folder: Path) -> Iterator[Path]:
    """The pictures as they are made: FOLDER/APP-WIDTH-SCHEME.png, each of the whole page."""
    for width, pixels in WIDTHS.items():
        for scheme in SCHEMES:
            context = browser.new_context(
                viewport={"width": pixels, "height": HEIGHT}, color_scheme=scheme, user_agent=BROWSER, locale="en-GB"  # type: ignore[arg-type]
            )  # fmt: skip
            page = sign_in(context.new_page(), url, email, password)
            for path in APPLICATIONS:
                picture = folder / f"{path.strip('/')}-{width}-{scheme}.png"
                show(page, f"{url}/insights{path}{FURTHER.get(path, '')}")
                take_whole(page, picture)
                yield picture
            context.close()


def show(page: Page, address: str) -> None:
    """Open a dashboard and wait until its charts are drawn."""
    page.goto(address)
    page.wait_for_selector(READY)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(400)


def take_whole(page: Page, picture: Path) -> None:
    """A picture of the page in a window as high as itself, so that what sticks to the window reaches its end."""
    width = page.viewport_size["width"] if page.viewport_size else min(WIDTHS.values())
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": width, "height": max(HEIGHT, height)})
    page.wait_for_timeout(200)
    page.screenshot(path=picture)
    page.set_viewport_size({"width": width, "height": HEIGHT})


@contextmanager
def demo() -> Iterator[Stack]:
    """An environment with the demo, a backup and a drill."""
    stack = start_stack()
    try:
        stack.run("backup", "run", "all")
        stack.run("drill", "run", "postgres-latest")
        wait_until_read(stack)
        yield stack
    finally:
        stop_stack(stack)


def wait_until_read(stack: Stack) -> None:
    """Wait until the demo's documents are searchable, as long as that goes on."""
    until = time.monotonic() + READ_SECONDS
    while time.monotonic() < until:
        documents = stack.json("space", "documents", SPACE)["documents"]
        if all(one["status"] in READ for one in documents):
            return
        time.sleep(2)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make them all, and say where they are."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--url")
    parser.add_argument("--email")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        if options.url:
            told = take(browser, options.url, options.email, os.environ["LEITSTAND_PASSWORD"], options.folder)
            print(*told, sep="\n")
            return
        with demo() as stack:
            print(
                *take(browser, stack.base_url, stack.owner_email, stack.owner_password, options.folder),
                sep="\n",
            )


if __name__ == "__main__":
    main()
