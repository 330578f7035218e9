"""Every text has its translation, and the checks that say so can fail."""

import re
from pathlib import Path

import pytest

from leitstand.words import catalogue, locales, unsaid
from leitstand.words.catalogue import Entry
from leitstand.words.extraction import Found, extract
from tests.repository import ROOT

PO = "leitstand/words/locale/de/LC_MESSAGES/leitstand.po"


@pytest.fixture(scope="module")
def texts() -> dict[str, Found]:
    """Every text of the code; finding them takes seconds."""
    return extract(ROOT)


@pytest.mark.parametrize("language", catalogue.others())
def test_every_text_has_a_translation_that_fits(texts: dict[str, Found], language: str) -> None:
    assert catalogue.faults(texts, language) == [], "run `./run words extract` and write what is missing"


def test_a_percent_sign_stands_twice_where_a_template_says_it(texts: dict[str, Found]) -> None:
    """Templates fill every text with `%`, where one that stands alone takes what follows it for a form: the page fails."""
    known, filled = catalogue.read("de"), re.compile(r"%\(\w+\)s|%%")
    said = {
        text: known[text].said
        for text, found in texts.items()
        if any(name.endswith(".html") for name in found.files)
    }
    assert [text for pair in said.items() for text in pair if "%" in filled.sub("", text)] == []


def test_the_catalogue_is_as_extraction_writes_it(texts: dict[str, Found]) -> None:
    assert (ROOT / PO).read_text(encoding="utf-8") == catalogue.written(texts, catalogue.read("de"), "de")


@pytest.mark.parametrize(
    ("text", "entry", "fault"),
    [
        ("Save", None, "is not in the catalogue"),
        ("Save", Entry(""), "has no translation"),
        ("Save", Entry("Speichern", fuzzy=True), "is marked as unsure"),
        ("Save %(name)s", Entry("Speichern"), "has other placeholders ('Speichern')"),
        ("No {what}.", Entry("Kein {was}."), "has other placeholders ('Kein {was}.')"),
        ("Save ", Entry("Speichern"), "begins or ends with other blanks ('Speichern')"),
    ],
)
def test_faults_are_found(text: str, entry: Entry | None, fault: str) -> None:
    assert catalogue.faults_of(text, Found(), entry) == [fault]


def test_a_form_for_several_needs_both() -> None:
    found = Found(plural="%(count)s rows")
    assert catalogue.faults_of("%(count)s row", found, Entry("%(count)s Zeile", plural="%(count)s rows")) == [
        "has no translation"
    ]


def test_texts_are_found_where_they_are_marked_and_only_there(tmp_path: Path) -> None:
    folder = tmp_path / "web"
    (folder / "templates").mkdir(parents=True)
    (folder / "a.py").write_text(
        'X = N_("one " "text")\nY = msg("{n} two", n="three")\nZ = other("four")\n'
        'class E(Exception):\n    title, kind = "Five", "five"\n'
    )
    (folder / "templates" / "b.html").write_text(
        '{{ _("six") }}{% trans count=n %}one{% pluralize %}{{ count }}{% endtrans %}seven'
    )
    texts = extract(tmp_path)
    assert set(texts) == {"one text", "{n} two", "Five", "six", "one"}
    assert texts["one"].plural == "%(count)s"
    assert texts["six"].files == ["web/templates/b.html"]


def test_the_texts_of_errors_are_found_wherever_they_are_raised(tmp_path: Path) -> None:
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "a.py").write_text(
        "from leitstand.errors import NotFound\n"
        "class Gone(NotFound): ...\n"
        'raise Odd("Raised.", hint="At once.")\n'
        'x = [NotFound("Made.", hint="First."), Gone("Of our own."), Other("Nobody\'s.")]\n'
    )
    assert set(extract(tmp_path)) == {"Raised.", "At once.", "Made.", "First.", "Of our own."}


def test_updating_keeps_what_is_known_and_is_stable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locales, "LOCALE", tmp_path / "locale")
    source = tmp_path / "web"
    (source / "templates").mkdir(parents=True)
    (source / "a.py").write_text('X = N_("Save")\nY = N_("Say \\"x\\"\\n")\n')
    assert catalogue.update(tmp_path, "de") == (2, 0)
    path = locales.catalogue_path("de")
    path.write_text(path.read_text().replace('msgid "Save"\nmsgstr ""', 'msgid "Save"\nmsgstr "Speichern"'))
    assert catalogue.update(tmp_path, "de") == (0, 0)
    before = path.read_text()
    assert 'msgstr "Speichern"' in before
    assert catalogue.update(tmp_path, "de") == (0, 0)
    assert path.read_text() == before
    (source / "a.py").write_text('X = N_("Save")\n')
    assert catalogue.update(tmp_path, "de") == (0, 1)
    assert set(catalogue.read("de")) == {"Save"}


def test_no_text_that_people_read_is_made_while_the_program_runs() -> None:
    """An f-string is another text each time: no catalogue can have it."""
    assert unsaid.unsaid(ROOT) == []


@pytest.mark.parametrize(
    ("line", "faults"),
    [
        ('raise NotFound(f"There is no {name}.")', 1),
        ('raise NotFound(msg("There is no {name}.", name=name), hint=f"Ask {who}.")', 1),
        ('raise NotFound("No." if x else f"No {x}.")', 1),
        ('raise NotFound("There is no such item.", hint=msg("Ask {who}.", who=who))', 0),
        ('raise ValueError(f"unknown {name}")', 0),
        ('from leitstand.errors import NotFound\ndef f():\n    return NotFound(f"There is no {name}.")', 1),
        ('from leitstand.errors import NotFound\ndef f():\n    return NotFound(msg("No {x}.", x=name))', 0),
        ('from elsewhere import NotFound\ndef f():\n    return NotFound(f"There is no {name}.")', 0),
        ('def f():\n    hint = "Ask the owner."\n    raise NotFound("No.", hint=hint)', 1),
        ('def f():\n    hint = N_("Ask the owner.")\n    raise NotFound("No.", hint=hint)', 0),
        ('raise Damaged(self.number + 1, "It ends.")', 0),
        ('x = msg(f"There is no {name}.")', 1),
        ('x = pn.widgets.Button(label="Refresh now")', 1),
        ('x = pn.widgets.Button(label=say("Refresh now"))', 0),
    ],
)
def test_texts_that_no_catalogue_can_have_are_found(tmp_path: Path, line: str, faults: int) -> None:
    file = tmp_path / "a.py"
    file.write_text(line)
    assert len(unsaid.in_file(file, "leitstand/identity/a.py")) == faults


def test_no_file_of_the_companions_is_left_out_and_conditions_are_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text('raise NotFound(f"There is no {name}.")')
    assert unsaid.in_file(file, "leitstand/companions/flow.py") and unsaid.in_file(
        file, "leitstand/events/x.py"
    )
    file.write_text('yield Condition("late", f"It is {age} old.", "Look.")')
    assert unsaid.in_file(file, "leitstand/backups/work_conditions.py")
