"""Tables as evidence shows them. Imported only where one is made: pandas takes a second."""

import re

import pandas as pd

# What a reader looks for first, in whatever column it stands.
MARKED = ("failed", "passed")
# A number and its unit stay on one line; so does whatever else is as short.
SHORT = re.compile(r"<td>([^<]{1,18})</td>")


class Table(pd.DataFrame):
    """A frame that shows all that it says, without numbers of rows."""

    @property
    def _constructor(self) -> "type[Table]":
        return Table

    def __repr__(self) -> str:
        """The whole table as text, as a terminal and who follows a run see it."""
        return self.to_string(index=False, max_colwidth=None) if len(self) else "nothing"

    def _repr_html_(self) -> str:
        """HTML of the whole table; a cell that is a verdict has it as its class."""
        with pd.option_context("display.max_colwidth", None):
            html = self.to_html(index=False, border=0, justify="left", na_rep="")
        for verdict in MARKED:
            html = html.replace(f"<td>{verdict}</td>", f'<td class="{verdict}">{verdict}</td>')
        return SHORT.sub(r'<td class="short">\1</td>', html)
