"""The catalogue of a language: kept in step with the texts of the code, and checked."""

import re
from dataclasses import dataclass
from pathlib import Path

from leitstand.words.extraction import Found, extract
from leitstand.words.locales import DEFAULT, LANGUAGES, catalogue_path

PLACEHOLDER = re.compile(r"%\((\w+)\)s|(?<!\{)\{(\w+)[^{}]*\}(?!\})")


@dataclass(frozen=True)
class Entry:
    """One text and its translation; of a text with a form for several, `several` is that one's."""

    said: str
    several: str = ""
    plural: str = ""
    fuzzy: bool = False


def others() -> list[str]:
    """The languages that have a catalogue."""
    return [language for language in LANGUAGES if language != DEFAULT]


def read(language: str) -> dict[str, Entry]:
    """A language's catalogue by the text; empty where there is none yet."""
    from babel.messages.pofile import read_po

    path = catalogue_path(language)
    if not path.exists():
        return {}
    with path.open("rb") as file:
        found = read_po(file, locale=language)
    return dict(_entry(message.id, message.string, message.fuzzy) for message in found if message.id)


def _entry(text: object, said: object, fuzzy: bool) -> tuple[str, Entry]:
    if isinstance(text, (list, tuple)):
        one, several = (said or ("", ""))[:2] if isinstance(said, (list, tuple)) else ("", "")
        return text[0], Entry(one, several, text[1], fuzzy)
    return str(text), Entry(str(said or ""), fuzzy=fuzzy)


def update(root: Path, language: str) -> tuple[int, int]:
    """Bring a catalogue in step with the code: new texts come without a translation, gone ones go.

    Args:
        root: the repository.

    Returns:
        How many came, how many went.
    """
    texts, known = extract(root), read(language)
    path = catalogue_path(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(written(texts, known, language), encoding="utf-8")
    return len(set(texts) - set(known)), len(set(known) - set(texts))


def written(texts: dict[str, Found], known: dict[str, Entry], language: str) -> str:
    """The file, without anything that changes by itself: no dates, no numbers of lines."""
    head = (
        f"# {LANGUAGES[language]}; kept in step with the code by `./run words extract`.\n"
        'msgid ""\nmsgstr ""\n'
        f'"Language: {language}\\n"\n"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n'
        '"MIME-Version: 1.0\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n'
    )
    nothing = Entry("")
    return head + "".join(_one(text, found, known.get(text, nothing)) for text, found in texts.items())


def _one(text: str, found: Found, entry: Entry) -> str:
    lines = ["", *(f"#: {name}" for name in found.files)]
    if entry.fuzzy:
        lines.append("#, fuzzy")
    lines.append(f"msgid {_quoted(text)}")
    if found.plural:
        lines += [f"msgid_plural {_quoted(found.plural)}", f"msgstr[0] {_quoted(entry.said)}"]
        lines.append(f"msgstr[1] {_quoted(entry.several)}")
    else:
        lines.append(f"msgstr {_quoted(entry.said)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t").replace("\n", "\\n")
    return f'"{escaped}"'


def faults(texts: dict[str, Found], language: str) -> list[str]:
    """What is wrong with a catalogue, a line for each text: a missing, gone, empty or unsure one, or one that does not fit.

    Args:
        texts: those of the code, as `extract` finds them.
    """
    known = read(language)
    gone = [f"is in no source any more: {text!r}" for text in known if text not in texts]
    return [
        f"{fault}: {text!r}"
        for text, found in texts.items()
        for fault in faults_of(text, found, known.get(text))
    ] + gone


def faults_of(text: str, found: Found, entry: Entry | None) -> list[str]:
    if entry is None:
        return ["is not in the catalogue"]
    forms = [(text, entry.said)] + ([(found.plural, entry.several)] if found.plural else [])
    if not all(said for _, said in forms):
        return ["has no translation"]
    wrong = [fault for original, said in forms for fault in _misfits(original, said)]
    if found.plural != entry.plural:
        wrong.append("has another form for several")
    return wrong + (["is marked as unsure"] if entry.fuzzy else [])


def _misfits(text: str, said: str) -> list[str]:
    wrong = []
    if sorted(placeholders(text)) != sorted(placeholders(said)):
        wrong.append(f"has other placeholders ({said!r})")
    if _edges(text) != _edges(said):
        wrong.append(f"begins or ends with other blanks ({said!r})")
    return wrong


def placeholders(text: str) -> set[str]:
    """The names of the values that a text takes."""
    return {one or other for one, other in PLACEHOLDER.findall(text)}


def _edges(text: str) -> tuple[str, str]:
    return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
