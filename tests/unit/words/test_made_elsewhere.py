"""Texts that are made far from the page that shows them can be said in German."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leitstand.backups.caution import cautions
from leitstand.backups.retention import COMPLETE, Entry, plan
from leitstand.catalogue.kinds import parse
from leitstand.catalogue.kinds.control import fault_of
from leitstand.companions.flow import parse_flow
from leitstand.companions.runner import Answer, replay
from leitstand.errors import LeitstandError
from leitstand.events.instants import parse_instant
from leitstand.events.readers import open_reader
from leitstand.knowledge.media import why_not
from leitstand.limits.plans import Plan, load_plans
from leitstand.runbooks.evidence import Evidence
from leitstand.runbooks.library import titles
from leitstand.settings import get_settings
from leitstand.words import from_stored, msg, translate, words_of
from tests.unit.companions.flows import booking

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def german(error: Exception) -> str:
    return translate(error.message if isinstance(error, LeitstandError) else words_of(error), "de")


@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        ({"type": "integer"}, "x", "'x' ist nicht vom Typ 'integer'"),
        ({"type": ["integer", "null"]}, "x", "'x' ist nicht vom Typ 'integer', 'null'"),
        ({"enum": ["a", "b"]}, "c", "'c' ist keiner der Werte ['a', 'b']"),
        ({"minimum": 3}, 2, "2 ist kleiner als das Mindeste, 3"),
        ({"required": ["a", "b"]}, {"a": 1}, "'b' muss angegeben werden"),
        ({"minLength": 1}, "", "'' darf nicht leer sein"),
        ({}, "x" * 5_000, "er ist länger als 4,000 Bytes"),
        ({}, json.loads("[" * 60 + "]" * 60), "er ist mehr als 50-mal verschachtelt"),
        ({"multipleOf": 0.1}, 10**400, "er enthält eine zu lange Zahl"),
    ],
)
def test_a_fault_of_a_schema(schema: dict[str, object], value: object, said: str) -> None:
    fault = fault_of(schema, value)
    assert fault and translate(fault, "de") == said


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"schema": {"type": "nonsense"}}, "das ist kein Schema: bei /type"),
        ({"default": 1}, "der Vorgabewert passt nicht zum Schema: 1 ist nicht vom Typ 'string'"),
        ({"ui": {"label": "x" * 201}}, "an der Stelle /ui/label nicht die Form von control: der Text darf höchstens 200"),
        ({"unknown": 1}, "weitere Angaben sind nicht erlaubt"),
        ({"direction": 1}, "es muss 'input' or 'output' sein"),
    ],
)  # fmt: skip
def test_a_content_of_another_form(document: dict[str, object], said: str) -> None:
    with pytest.raises(LeitstandError) as refused:
        parse("control", document)
    assert said in german(refused.value)


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (lambda: parse_flow("{"), "Der Ablauf ist kein gültiges JSON (Zeile 1)."),
        (lambda: parse_flow({"title": "A", "steps": []}), "hat ein falsches"),
        (
            lambda: replay(parse_flow(booking()), [Answer("x", "1")]),
            "Die Antwort auf 'x' gehört nicht hierher",
        ),
        (lambda: parse_instant("2026"), "der Zeitstempel '2026' entspricht nicht ISO 8601"),
        (lambda: open_reader(Path("/nowhere")), "Es gibt keine Datei '/nowhere'."),
    ],
)
def test_what_can_not_be_taken(attempt: Callable[[], object], said: str) -> None:
    with pytest.raises((LeitstandError, ValueError)) as refused:
        attempt()
    assert said in german(refused.value)


def test_why_a_backup_stays_or_goes() -> None:
    entries = [
        Entry(str(days), "objects", COMPLETE, NOW - timedelta(days=days), NOW - timedelta(days=days), verified=True)
        for days in (0, 20, 21, 500)
    ]  # fmt: skip
    words = [translate(verdict.words, "de") for verdict in plan(entries, NOW).verdicts]
    assert words[0].startswith(
        "innerhalb der letzten 14 Tage; die letzte bewiesene; steht für den Tag 2026-03-01"
    )
    assert all("the " not in text for text in words)
    hole = cautions(plan(entries, NOW), entries)
    assert all(translate(caution.says, "de") != caution.says for caution in hole)


def test_which_files_can_not_be_read() -> None:
    assert translate(why_not("application/pdf"), "de") == (
        "PDF-Dateien lassen sich noch nicht lesen; Markdown, HTML, CSV und einfacher Text schon."
    )


def test_a_plan_in_words_of_its_own_or_of_the_catalogue() -> None:
    assert load_plans().first.described("de") == "Alles in dieser Installation, ohne Grenze und ohne Preis."
    plan_ = Plan(name="team", title="Team", description="For one.", translations={"de": {"description": "Für eine."}})  # type: ignore[dict-item]  # fmt: skip
    assert (plan_.titled("de"), plan_.described("de"), plan_.described("en")) == (
        "Team",
        "Für eine.",
        "For one.",
    )


def test_what_a_drill_found(tmp_path: Path) -> None:
    evidence = Evidence(tmp_path / "evidence.json")
    evidence.check("clean-up", True, "nothing is left")
    evidence.check("counts", False, msg("{count} tables, implausible: {names}", count=3, names=msg("none")))
    plain, made = evidence.to_dict()["checks"]
    assert (
        set(plain) == {"name", "verdict", "detail"}
        and translate(plain["detail"], "de") == "nichts bleibt zurück"
    )
    assert made["detail"] == "3 tables, implausible: none"
    assert translate(from_stored(made["said"]), "de") == "3 Tabellen, unglaubwürdig: keine"
    assert (
        translate(titles(get_settings())["postgres-latest"], "de") == "Die neueste Sicherung von PostgreSQL"
    )
