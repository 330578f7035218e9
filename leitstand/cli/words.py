"""leitstand words: the texts that people read and their translations, for those who change them."""

from pathlib import Path

import click

from leitstand.errors import IntegrityFailed
from leitstand.words import catalogue
from leitstand.words.extraction import extract as texts_of
from leitstand.words.locales import LANGUAGES
from leitstand.words.unsaid import unsaid

ROOT = Path(__file__).parents[2]


@click.group("words")
def group() -> None:
    """Keep the translations in step with the texts of the code (in a checkout)."""


@group.command("extract")
def extract() -> None:
    """Take new texts into every catalogue, without a translation yet, and gone ones out of it."""
    for language in catalogue.others():
        came, went = catalogue.update(ROOT, language)
        click.echo(f"{LANGUAGES[language]}: {came} new, {went} gone.")


@group.command("check")
def check() -> None:
    """Say which texts have no translation, or one that does not fit, and which can't have any."""
    made = unsaid(ROOT)
    for line in made:
        click.echo(line, err=True)
    texts = texts_of(ROOT)
    wrong = {language: catalogue.faults(texts, language) for language in catalogue.others()}
    for language, faults in wrong.items():
        for fault in faults:
            click.echo(f"{language}: {fault}", err=True)
    count = sum(map(len, wrong.values()))
    if made:
        raise IntegrityFailed(
            f"{len(made)} texts can't be translated as they are written.",
            hint="docs/guide/translating.md says how to write them.",
        )
    if count:
        raise IntegrityFailed(
            f"{count} translations are missing or do not fit.",
            hint="Run `./run words extract` and write them into leitstand/words/locale.",
        )
    click.echo("Every text has its translation.")
