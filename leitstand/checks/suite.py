"""The process that runs Great Expectations: `python -m leitstand.checks.suite FOLDER SUITE…`.

The database's address comes in the environment; one JSON document goes to standard output, everything else to
standard error. Use `leitstand.checks.run`.
"""

import json
import os
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from leitstand.checks.files import load
from leitstand.checks.planning import Planned, plan
from leitstand.checks.run import DATABASE_VARIABLE
from leitstand.checks.violations import EXAMPLES, shown

STATEMENT_TIMEOUT_MS = 900_000
# Read only: a check that writes is a mistake. UTC: days are compared as UTC days. Memory: whole tables are hashed.
OPTIONS = (
    f"-c default_transaction_read_only=on -c timezone=UTC -c statement_timeout={STATEMENT_TIMEOUT_MS}"
    " -c work_mem=64MB"
)


def main() -> None:
    """Run the checks of a folder."""
    began = time.monotonic()
    with redirect_stdout(sys.stderr):
        document = _document(Path(sys.argv[1]), sys.argv[2:])
    document["seconds"] = round(time.monotonic() - began, 3)
    print(json.dumps(document, default=str))  # noqa: T201 - the answer


def _document(folder: Path, names: list[str]) -> dict[str, Any]:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError

    from leitstand.checks.database import look_at

    checkpoint = load(folder).chosen(names)
    engine = create_engine(os.environ[DATABASE_VARIABLE], connect_args={"options": OPTIONS})
    try:
        with engine.connect() as connection:
            database = look_at(connection)
            plans = [plan(connection, suite, database) for suite in checkpoint.suites]
    except SQLAlchemyError as error:
        return {"error": f"the database does not answer ({type(error).__name__})"}
    found = _Expectations()
    results = []
    for planned in plans:
        answers = found.first(planned)
        answers |= found.closer(planned, [name for name, it in answers.items() if _is_open(it)])
        for answer in answers.values():
            if answer["unexpected"] and (query := planned.queries.get(answer["name"])):
                with engine.connect() as connection:
                    answer["examples"] = shown(connection, query)
        results += [*answers.values(), *planned.settled]
    return {"results": results, "revision": database.revision}


def _is_open(answer: dict[str, Any]) -> bool:
    """Whether a check does not hold, and how many rows violate it is not known yet."""
    return not (answer["success"] or answer["unexpected"] or answer["error"])


class _Expectations:
    """Great Expectations on the database, in a context that is kept nowhere.

    It is given the name of the variable, not the address, so that no message can hold the password.
    """

    def __init__(self) -> None:
        # It imports Spark where that is installed, for tables of Spark.
        sys.modules.setdefault("pyspark", None)  # type: ignore[arg-type]
        import great_expectations
        from great_expectations.data_context.types.base import ProgressBarsConfig

        import leitstand.checks.expectations  # noqa: F401 - makes our own kinds known

        self._library = great_expectations
        self._context = great_expectations.get_context(mode="ephemeral")
        # Nobody looks at it in a terminal.
        self._context.variables.progress_bars = ProgressBarsConfig(globally=False)
        # A context that is kept nowhere would be written as YAML twice a table all the same.
        self._context.variables.save = lambda: None  # type: ignore[method-assign]
        self._database = self._context.data_sources.add_postgres(
            "database",
            connection_string="${" + DATABASE_VARIABLE + "}",
            kwargs={"connect_args": {"options": OPTIONS}},  # type: ignore[call-arg]
        )

    def first(self, planned: Planned) -> dict[str, dict[str, Any]]:
        """Whether each expectation holds. All conditions on columns are looked at in one pass over the table."""
        return self._run(planned, planned.expectations, "all", {"result_format": "BOOLEAN_ONLY"})

    def closer(self, planned: Planned, names: list[str]) -> dict[str, dict[str, Any]]:
        """Those that do not hold once more, with how many rows violate them and the keys of some."""
        chosen = [it for it in planned.expectations if it["meta"]["name"] in names]
        if not chosen:
            return {}
        keys = list(planned.keys)
        wanted = {"result_format": "SUMMARY", "partial_unexpected_count": EXAMPLES}
        return self._run(
            planned, chosen, "violated", {**wanted, "unexpected_index_column_names": keys} if keys else wanted
        )

    def _run(
        self, planned: Planned, expectations: list[dict[str, Any]], which: str, result_format: dict[str, Any]
    ) -> dict[str, dict[str, Any]]:
        if not expectations:
            return {}
        name, table = f"{planned.suite.name} {which}", planned.suite.table
        batch = self._database.add_table_asset(name, table_name=table).add_batch_definition_whole_table("all")
        loaded = self._context.suites.add(
            self._library.ExpectationSuite(name=name, expectations=expectations)
        )
        validation = self._context.validation_definitions.add(
            self._library.ValidationDefinition(name=name, data=batch, suite=loaded)
        )
        answers = validation.run(result_format=result_format).results
        found = [planned.answer(answer.to_json_dict()) for answer in answers]
        return {answer["name"]: answer for answer in found}


if __name__ == "__main__":
    main()
