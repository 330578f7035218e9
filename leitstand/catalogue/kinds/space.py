"""Spaces: where their documents come from. The documents have a table of their own."""

from typing import Annotated

from pydantic import Field

from leitstand.catalogue.kinds.base import Content, Text


class Space(Content):
    """Where the documents come from and who looks after them, in words."""

    sources: Annotated[Text, Field(max_length=5_000)] = ""
