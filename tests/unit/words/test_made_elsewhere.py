"""Texts that are made far from the page that shows them can be said in German."""

import json
import smtplib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from botocore.exceptions import BotoCoreError

from leitstand.backups.caution import cautions
from leitstand.backups.pgbackrest import program as pgbackrest
from leitstand.backups.places import copied_place
from leitstand.backups.retention import COMPLETE, Entry, plan
from leitstand.catalogue.kinds import parse
from leitstand.catalogue.kinds.control import fault_of
from leitstand.checks.files import load as load_checks
from leitstand.checks.result import LIVE, database_of, restored
from leitstand.companions.flow import parse_flow
from leitstand.companions.runner import Answer, replay
from leitstand.embedded.switching import Switch
from leitstand.errors import LeitstandError
from leitstand.events.instants import parse_instant
from leitstand.events.readers import open_reader
from leitstand.health.overview import UP, _ask_all, _judge_heartbeat
from leitstand.knowledge.media import why_not
from leitstand.limits.plans import Plan, load_plans
from leitstand.mail.smtp import failure_of
from leitstand.runbooks.caddy_admin import CaddyAdmin
from leitstand.runbooks.evidence import Evidence
from leitstand.runbooks.library import titles
from leitstand.settings import get_settings
from leitstand.storage.retries import translated
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


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (translated(BotoCoreError(), "s3://a/b"), "Der Objektspeicher antwortet nicht für s3://a/b (BotoCoreError)."),
        (failure_of(smtplib.SMTPDataError(451, b"busy")), "Der Mailserver nimmt diese Nachricht nicht an (451: busy)."),
        (failure_of(smtplib.SMTPAuthenticationError(535, b"no")), "nimmt unseren Benutzer und unser Passwort nicht an (535)"),
        (failure_of(smtplib.SMTPRecipientsRefused({"a@b.test": (550, b"who")})), "nimmt diesen Empfänger nicht an (550: who)"),
    ],
)  # fmt: skip
def test_what_other_servers_said(error: LeitstandError, said: str) -> None:
    assert said in german(error)


def test_how_a_service_is() -> None:
    long_ago = NOW - timedelta(minutes=2)
    told = [_judge_heartbeat(last, NOW)[1] for last in (None, NOW - timedelta(seconds=5), long_ago)]
    assert [translate(text, "de") for text in told] == [
        "antwortet, gab aber noch kein Lebenszeichen",
        "Lebenszeichen vor 5 s",
        "antwortet, aber das letzte Lebenszeichen ist 120 s alt",
    ]
    late, kept = _ask_all([Event().wait, lambda: (UP, told[1])], 0.2)
    assert [translate(text, "de") for _, text, _ in (late, kept)] == [
        "keine Antwort binnen 0.2 s",
        "Lebenszeichen vor 5 s",
    ]


def test_which_database_was_checked() -> None:
    named = [translate(database_of(target), "de") for target in (LIVE, restored("0a1b"), "elsewhere")]
    assert named == ["der laufenden Datenbank", "der wiederhergestellten Sicherung 0a1b", "elsewhere"]


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
    assert translate(why_not("application/json"), "de") == (
        "JSON-Dateien lassen sich noch nicht lesen; PDF, Word, PowerPoint, Excel, E-Mail, Markdown, HTML, CSV und einfacher Text schon."
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


def test_what_goes_wrong_with_backups_checks_and_services(tmp_path: Path) -> None:
    for fail, said in (
        (lambda: copied_place("x"), "Es gibt keine Kopien von 'x'."),
        (lambda: load_checks(tmp_path), f"{tmp_path / 'checkpoint.json'} lässt sich nicht lesen."),
        (lambda: Switch.backward(tmp_path / "live", "x"), "'x' nennt keine Datenbank, die beiseitegelegt wurde."),
        (lambda: CaddyAdmin("example.com:443"), "'example.com:443' ist keine Adresse eines Caddy auf diesem Rechner."),
    ):  # fmt: skip
        with pytest.raises(LeitstandError) as failed:
            fail()
        assert german(failed.value) == said


def test_a_reason_within_another_one() -> None:
    error = pgbackrest.Failed("backup", 50, "lock file exists").as_error()
    assert german(error) == "pgBackRest backup ist gescheitert: lock file exists"
    assert translate(error.hint, "de") == "Warten, bis das andere pgBackRest fertig ist."
    inner = msg("{whose} is damaged: {message}", whose=msg("Backup {id}", id="7"), message=error.message)
    assert (
        translate(inner, "de")
        == "Sicherung 7 ist beschädigt: pgBackRest backup ist gescheitert: lock file exists"
    )


def test_every_rule_of_the_data_checks() -> None:
    rules = [one["meta"]["says"] for suite in load_checks(get_settings().checks_dir).suites for one in suite.expectations]  # fmt: skip
    assert len(rules) > 150
    assert [rule for rule in rules if translate(rule, "de") == rule] == []
