"""Texts that are made in one place and translated in another, where it is known who reads them."""

from typing import Any, Self

from leitstand.words.locales import DEFAULT, translations


def N_(message: str) -> str:  # noqa: N802 - the name that extractors of texts know
    """Mark a text that is translated where it is shown."""
    return message


class Message(str):
    """An English text that keeps what it was made of, so that it can be said in another language.

    Args:
        template: the text with {names} for the values.
        values: what is put in; a value that is a `Message` is translated as well, every other stays as it is.
    """

    __slots__ = ("template", "values")
    template: str
    values: dict[str, Any]

    def __new__(cls, template: str, values: dict[str, Any] | None = None) -> Self:
        values = values or {}
        made = super().__new__(cls, template.format(**values) if values else template)
        made.template, made.values = template, values
        return made

    def __reduce__(self) -> tuple[type[Self], tuple[str, dict[str, Any]]]:
        return type(self), (self.template, self.values)


def msg(template: str, /, **values: Any) -> Message:
    """A text with values: `msg("There is no {what}.", what=name)`."""
    return Message(template, values)


def said(text: str) -> Message:
    """A text as a value of another one, so that it is translated with it; one of the code, never a stranger's."""
    return text if isinstance(text, Message) else Message(text)


def joined(*texts: str, between: str = " ") -> Message:
    """Texts of the code after each other, each of them translated; empty ones are left out."""
    given = [said(text) for text in texts if text]
    if len(given) == 1:
        return given[0]
    names = [f"text{number}" for number in range(len(given))]
    return Message(between.join(f"{{{name}}}" for name in names), dict(zip(names, given, strict=True)))


def words_of(error: Exception) -> str:
    """What an error of Python's was raised with; `str()` of it would forget what a `Message` was made of."""
    given = error.args[0] if error.args else ""
    return given if isinstance(given, str) else str(error)


def translate(text: str, language: str = DEFAULT) -> str:
    """A text in a language: as it is where it has no translation.

    Args:
        text: a `Message`, or a text that was marked with `N_`.
        language: one of `LANGUAGES`.
    """
    if not text or language == DEFAULT:
        return str(text)
    known = translations(language)
    if not isinstance(text, Message):
        return known.gettext(text)
    said = known.gettext(text.template)
    values = {
        name: translate(value, language) if isinstance(value, Message) else value
        for name, value in text.values.items()
    }
    return said.format(**values) if values else said
