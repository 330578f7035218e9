"""How long people wait for the dashboards in a browser: until the first figures stand there, and after a choice.

    ./run bench dashboards --folder /tmp/benchmark [--events 3000000] [--repeats 6] [--apps overview flow]

Makes events (see `benchmarks.insights.dataset`; the largest workspace has 46 % of them) and a columnar copy of their
facts, starts the insights service on 127.0.0.1, and opens each dashboard in Chromium, on 30 and on 180 days:

- cold: a browser that has kept nothing, days that were not asked about before;
- warm: the same browser opens the page again;
- a choice: other days of the same length, that were not asked about before, until their figures stand there.

Beside them stands a choice with the service reading PostgreSQL alone: what one has without the copy. Milliseconds.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from benchmarks.environment import started, wait_for
from benchmarks.insights.dataset import Dataset, make
from leitstand.db.models import Workspace
from leitstand.errors import Conflict
from leitstand.identity import people, sessions
from leitstand.identity.sessions import COOKIE
from leitstand.insights.copy.copier import copy_facts
from leitstand.insights.scope import resolve
from leitstand.services import INSIGHTS
from leitstand.settings import load_settings
from panel_apps.serve import create
from web.routes import assets

CHROMIUM = "/usr/bin/chromium"
EMAIL, PASSWORD = "benchmark@leitstand.local", "benchmark of dashboards"
APPS = ("overview", "companion", "flow", "audience", "ingestion", "usage", "operations")
LENGTHS = (30, 180)
FIRST_PAINT_MS, CHANGE_MS = 1500, 300
START_SECONDS = 120
DAY = timedelta(days=1)
# Notes when the first key figure is painted: in the components' shadow roots, looked for at every frame.
WATCH = """
const found = (root) => root.querySelector("dl.figures dd")
  ?? [...root.querySelectorAll("*")].map((one) => one.shadowRoot && found(one.shadowRoot)).find(Boolean);
const look = () => (document.body && found(document.body)?.textContent ? (window.painted = performance.now()) : requestAnimationFrame(look));
requestAnimationFrame(look);
"""
# Chooses, and gives the milliseconds until the page is no longer busy and has been painted.
CHANGE = """detail => new Promise((resolve) => {
  const page = document.querySelector(".dashboard"), begun = performance.now();
  const seen = new MutationObserver(() => {
    if (page.getAttribute("aria-busy") !== "false") return;
    seen.disconnect();
    requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now() - begun)));
  });
  seen.observe(page, { attributeFilter: ["aria-busy"] });
  document.dispatchEvent(new CustomEvent("leitstand:choose", { detail }));
})"""


@dataclass
class Waits:
    """Milliseconds of one dashboard and length."""

    cold: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    change: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Service:
    """A running insights service, and whose session opens it."""

    address: str
    token: str


class Ranges:
    """Ranges of a length that were not given before: each begins and ends a day earlier than the last."""

    def __init__(self, last: date) -> None:
        self._last = last
        self._given = 0

    def __call__(self, days: int) -> str:
        self._given += 1
        last = self._last - self._given % 60 * DAY
        # Beyond sixty a day more: what is asked is still new.
        return f"{last - (days + self._given // 60 - 1) * DAY}..{last}"


def site() -> FastAPI:
    """The insights service with the shell's static files, which the proxy otherwise takes from the web service."""
    app = create()
    app.include_router(assets.router)
    return app


@contextmanager
def service(engine: Engine, port: int, data: Dataset, engine_name: str) -> Iterator[Service]:
    """The insights service in a process of its own.

    Args:
        engine_name: of the setting `insights_engine`: `auto` or `postgres`.
    """
    address = f"http://127.0.0.1:{port}"
    argv = ["-m", "uvicorn", "benchmarks.dashboards:site", "--factory", "--port", str(port)]
    variables = os.environ | {"LEITSTAND_INSIGHTS_ENGINE": engine_name}
    process = subprocess.Popen(
        [sys.executable, *argv, "--no-access-log", "--log-level", "warning"],
        env=variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(f"{address}/readyz", process, seconds=START_SECONDS)
        yield Service(address, _sign_in(engine, data))
    finally:
        process.terminate()
        process.wait()


def _sign_in(engine: Engine, data: Dataset) -> str:
    with Session(engine) as session, session.begin():
        workspace = session.get_one(Workspace, data.workspace_id)
        with suppress(Conflict):
            people.create_person(
                session,
                email=EMAIL,
                name="Benchmark",
                password=PASSWORD,
                workspace_id=workspace.id,
                role="owner",
            )
        signed_in = sessions.sign_in(session, email=EMAIL, password=PASSWORD, address="", user_agent="")
        return signed_in.token


def measure(browser: Browser, at: Service, app: str, days: int, ranges: Ranges, repeats: int) -> Waits:
    """Open a dashboard cold and warm, and choose in it, some times."""
    waits = Waits()
    for _ in range(repeats):
        context = _context(browser, at)
        shown = f"{at.address}/insights/{app}?range={ranges(days)}"
        waits.cold.append(opened(context.new_page(), shown))
        page = context.new_page()
        waits.warm.append(opened(page, shown))
        waits.change.append(changed(page, app, days, ranges))
        context.close()
    return waits


def changes(browser: Browser, at: Service, app: str, days: int, ranges: Ranges, repeats: int) -> list[float]:
    """Only choose in a dashboard, some times."""
    context = _context(browser, at)
    page = context.new_page()
    opened(page, f"{at.address}/insights/{app}?range={ranges(days)}")
    found = [changed(page, app, days, ranges) for _ in range(repeats)]
    context.close()
    return found


def opened(page: Page, address: str) -> float:
    """Milliseconds from the navigation until the first key figure is painted."""
    page.goto(address)
    page.wait_for_function("window.painted")
    page.wait_for_selector(".dashboard[aria-busy=false]")
    return float(page.evaluate("window.painted"))


def changed(page: Page, app: str, days: int, ranges: Ranges) -> float:
    """Milliseconds from a choice until its figures are painted."""
    other = "365" if page.locator("#period").count() and page.input_value("#period") != "365" else "90"
    detail = {"period": other} if app == "operations" else {"range": ranges(days)}
    return float(page.evaluate(CHANGE, detail))


def _context(browser: Browser, at: Service) -> BrowserContext:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(120_000)
    context.add_cookies([{"name": COOKIE, "value": at.token, "url": at.address}])
    context.add_init_script(WATCH)
    return context


def percentiles(found: Sequence[float]) -> str:
    """Median and 95th percentile."""
    ordered = sorted(found)
    return f"{ordered[len(ordered) // 2]:,.0f} / {p95(ordered):,.0f}"


def p95(found: Sequence[float]) -> float:
    """The 95th percentile: of few, the largest."""
    return sorted(found)[min(len(found) - 1, int(0.95 * len(found)))]


def report(waits: dict[tuple[str, int], Waits], without: dict[tuple[str, int], list[float]]) -> None:
    """A table, and which targets are met."""
    print(
        "\n| dashboard, days | first paint, cold | warm | a choice | a choice without the copy |\n|---|---|---|---|---|"
    )
    for (app, days), one in waits.items():
        cells = [one.cold, one.warm, one.change, without[app, days]]
        print(f"| {app}, {days} | {' | '.join(percentiles(cell) for cell in cells)} |")
    print("\nEach: median / 95th percentile, milliseconds.")
    for name, target, times in (
        ("First paint, cold", FIRST_PAINT_MS, {key: p95(one.cold) for key, one in waits.items()}),
        ("A choice", CHANGE_MS, {key: p95(one.change) for key, one in waits.items()}),
    ):
        late = [f"{app} ({days} days)" for (app, days), value in times.items() if value > target]
        print(
            f"{name} within {target:,} ms: {len(times) - len(late)} of {len(times)}{', not ' + ', '.join(late) if late else ''}."
        )


def run(engine: Engine, data: Dataset, port: int, apps: Sequence[str], repeats: int) -> None:
    """Measure dashboards and print it."""
    with Session(engine) as session:
        ranges = Ranges(resolve(session, workspace_id=data.workspace_id).end - DAY)
    waits: dict[tuple[str, int], Waits] = {}
    without: dict[tuple[str, int], list[float]] = {}
    asked = [(app, days) for app in apps for days in LENGTHS]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments())
        with service(engine, port, data, "auto") as at:
            for app, days in asked:
                waits[app, days] = measure(browser, at, app, days, ranges, repeats)
                print(f"{app}, {days} days: {percentiles(waits[app, days].cold)} ms cold", flush=True)
        with service(engine, port, data, "postgres") as at:
            for app, days in asked:
                without[app, days] = changes(browser, at, app, days, ranges, repeats)
        browser.close()
    report(waits, without)


def arguments() -> list[str]:
    """Of Chromium, which can look up no name."""
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    return ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", *root]


def main() -> None:
    """Run it all and print what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, default=31_400)
    parser.add_argument("--repeats", type=int, default=6)
    parser.add_argument("--apps", nargs="+", choices=APPS, default=list(APPS))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    os.environ["LEITSTAND_SESSION_SECRET"] = "benchmark"
    with started(options.folder, options.port) as engine:
        begun = time.monotonic()
        data = make(engine, options.folder, options.events)
        copy_facts(engine, load_settings(), workspace="benchmark-0")
        ready = time.monotonic() - begun
        print(
            f"{data.events:,} events, {data.largest:,} in the workspace; ready in {ready:,.0f} s", flush=True
        )
        run(engine, data, options.port + INSIGHTS.offset, options.apps, options.repeats)


if __name__ == "__main__":
    main()
