"""The page of a run of checks: every rule, what became of it, and which rows violate it. It asks no other host for anything."""

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from typing import Any

from leitstand import __version__
from leitstand.checks.result import CheckResult, counted
from leitstand.standalone import standalone_page

STYLE = """
:root { color-scheme: light dark; --line: #8885; --good: light-dark(#14653a, #6fd39b); --bad: light-dark(#a4161a, #ff9a92); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .3rem; }
table { border-collapse: collapse; width: 100%; margin: .4rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem .3rem 0; text-align: left; vertical-align: top; font-weight: inherit; }
thead th { font-size: .85rem; opacity: .8; }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; } .muted { opacity: .75; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code { font: 13px/1.45 ui-monospace, monospace; } dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1.2rem; }
dd { margin: 0; } .scroll { overflow-x: auto; }
"""


def page(found: CheckResult, *, at: datetime) -> str:
    """The page as HTML.

    Args:
        at: when the run ended.
    """
    names = found.suites or [found.suite]
    title = f"Data checks of {found.target}, {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    failed = [check for check in found.results if not check["success"]]
    parts = [
        f"<h1>{escape(title)}</h1>", _verdict(found), _facts(found, at),
        *([f"<h2>Not as they should be</h2>{_table(failed)}"] if failed else []),
        f"<h2>Suites</h2>{_suites(found, names)}",
        *(_suite(name, found.of_suite(name)) for name in names),
    ]  # fmt: skip
    return standalone_page(title, "\n".join(parts), style=STYLE)


def _verdict(found: CheckResult) -> str:
    look = "good" if found.success else "bad"
    skipped = f", {len(found.skipped)} skipped" if found.skipped else ""
    said = (
        "Every check holds"
        if found.success
        else f"{found.failed} check{'s do' if found.failed > 1 else ' does'} not hold"
    )
    return (
        f'<p class="{look}">{said}. {found.evaluated} were looked at{skipped}, in {found.seconds:.1f} s.</p>'
    )


def _facts(found: CheckResult, at: datetime) -> str:
    facts = {
        "Database": found.target,
        "Revision of its schema": found.revision or "–",
        "Suites": found.suite,
        "Ended": f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        "Run": found.run_id or "–",
        "Leitstand": __version__,
    }
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    return f"<dl>{listed}</dl>"


def _suites(found: CheckResult, names: Iterable[str]) -> str:
    rows = []
    for name in names:
        results = found.of_suite(name)
        evaluated, failed = counted(results)
        table = results[0]["table"] if results else ""
        mark = _mark(not failed, skipped=not evaluated)
        rows.append(
            f'<tr><th scope="row"><a href="#{escape(name)}">{escape(name)}</a></th><td><code>{escape(table)}</code></td>'
            f'<td>{mark}</td><td class="number">{failed} of {evaluated}</td></tr>'
        )
    head = '<th scope="col">Suite</th><th scope="col">Table</th><th scope="col">Result</th><th scope="col" class="number">Failed</th>'
    return _framed(head, rows)


def _suite(name: str, results: list[dict[str, Any]]) -> str:
    return f'<h2 id="{escape(name)}">{escape(name)}</h2>{_table(results)}'


def _table(results: Iterable[dict[str, Any]]) -> str:
    rows = [
        f'<tr><th scope="row">{escape(check["says"])}<br><code class="muted">{escape(check["name"])}</code>{_found(check)}</th>'
        f"<td>{_mark(check['success'], skipped=bool(check.get('skipped')))}</td>"
        f'<td class="number">{check["unexpected"] or ""}</td></tr>'
        for check in results
    ]
    head = '<th scope="col">Rule</th><th scope="col">Result</th><th scope="col" class="number">Rows that violate it</th>'
    return _framed(head, rows)


def _found(check: dict[str, Any]) -> str:
    said = check["error"] or check.get("skipped") or ""
    words = f'<br><span class="muted">{escape(said)}</span>' if said else ""
    examples = (
        f"<br><code>{escape(', '.join(f'{name}: {value}' for name, value in example.items()))}</code>"
        for example in check["examples"]
    )
    return words + "".join(examples)


def _mark(success: bool, *, skipped: bool) -> str:
    if skipped:
        return '<span class="muted">Skipped</span>'
    return '<span class="good">Holds</span>' if success else '<span class="bad">Fails</span>'


def _framed(head: str, rows: list[str]) -> str:
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
