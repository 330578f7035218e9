"""Tables as evidence shows them. Imported only where one is made: pandas takes a second."""

import pandas as pd

# What a reader looks for first, in whatever column it stands.
MARKED = ("failed", "passed")


class Table(pd.DataFrame):
    """A frame that shows all that it says, without numbers of rows."""

    @property
    def _constructor(self) -> "type[Table]":
        return Table

    def _repr_html_(self) -> str:
        """HTML of the whole table; a cell that is a verdict has it as its class."""
        with pd.option_context("display.max_colwidth", None):
            html = self.to_html(index=False, border=0, justify="left", na_rep="")
        for verdict in MARKED:
            html = html.replace(f"<td>{verdict}</td>", f'<td class="{verdict}">{verdict}</td>')
        return html
