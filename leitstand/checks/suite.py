"""The process that runs Great Expectations: `python -m leitstand.checks.suite FOLDER`.

The database's address comes in the environment; one JSON document goes to standard output, everything else to
standard error. Use `leitstand.checks.run.run_checks`.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leitstand.checks.files import Suite, load
from leitstand.checks.run import DATABASE_VARIABLE

if TYPE_CHECKING:
    from sqlalchemy import Engine

EXAMPLES = 5
QUERY = "unexpected_rows_query"
STATEMENT_TIMEOUT_MS = 900_000
# Read only: a check that writes is a mistake. UTC: days are compared as UTC days.
OPTIONS = f"-c default_transaction_read_only=on -c timezone=UTC -c statement_timeout={STATEMENT_TIMEOUT_MS}"
FORMAT = {"result_format": "SUMMARY", "partial_unexpected_count": EXAMPLES}


def main() -> None:
    """Run the checks of a folder."""
    began = time.monotonic()
    with redirect_stdout(sys.stderr):
        document = _document(Path(sys.argv[1]))
    document["seconds"] = round(time.monotonic() - began, 3)
    print(json.dumps(document, default=str))  # noqa: T201 - the answer


def _document(folder: Path) -> dict[str, Any]:
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import SQLAlchemyError

    checkpoint = load(folder)
    engine = create_engine(os.environ[DATABASE_VARIABLE], connect_args={"options": OPTIONS})
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        return {"error": f"the database does not answer ({type(error).__name__})"}
    source = _source()
    results = [result for suite in checkpoint.suites for result in _run(source, suite)]
    queries = {
        expectation["meta"]["name"]: expectation["kwargs"][QUERY].replace("{batch}", suite.table)
        for suite in checkpoint.suites
        for expectation in suite.expectations
        if QUERY in expectation["kwargs"]
    }
    for result in results:
        if result["name"] in queries and result["unexpected"]:
            result["examples"] = _examples(engine, queries[result["name"]])
    return {"results": results}


def _examples(engine: "Engine", query: str) -> list[dict[str, str]]:
    """Some of the rows that violate a rule (Great Expectations gives all of them or none)."""
    from sqlalchemy import text

    with engine.connect() as connection:
        rows = connection.execute(text(f"SELECT * FROM ({query}) AS violations LIMIT {EXAMPLES}"))  # noqa: S608 - from our files
        return [{name: str(value) for name, value in row.items()} for row in rows.mappings()]


def _source() -> Any:
    """Great Expectations' view of the database, in a context that is kept nowhere.

    It is given the name of the variable, not the address, so that no message can hold the password.
    """
    import great_expectations

    context = great_expectations.get_context(mode="ephemeral")
    address = "${" + DATABASE_VARIABLE + "}"
    database = context.data_sources.add_postgres(
        "database",
        connection_string=address,
        kwargs={"connect_args": {"options": OPTIONS}},  # type: ignore[call-arg]
    )
    return context, database


def _run(source: Any, suite: Suite) -> list[dict[str, Any]]:
    import great_expectations

    context, database = source
    batch = database.add_table_asset(suite.table, table_name=suite.table).add_batch_definition_whole_table(
        "all"
    )
    loaded = context.suites.add(
        great_expectations.ExpectationSuite(name=suite.name, expectations=suite.expectations)
    )
    validation = context.validation_definitions.add(
        great_expectations.ValidationDefinition(name=suite.name, data=batch, suite=loaded)
    )
    return [_result(suite, answer.to_json_dict()) for answer in validation.run(result_format=FORMAT).results]


def _result(suite: Suite, answer: Mapping[str, Any]) -> dict[str, Any]:
    """One check's answer in our own words."""
    meta, result = answer["expectation_config"]["meta"], answer["result"]
    problem = answer["exception_info"]
    return {
        "name": meta["name"],
        "suite": suite.name,
        "table": suite.table,
        "says": meta["says"],
        "success": bool(answer["success"]),
        "unexpected": result.get("unexpected_count") or _number(result.get("observed_value")),
        "examples": list(
            result.get("partial_unexpected_list") or result.get("details", {}).get("unexpected_rows") or []
        )[:EXAMPLES],
        "error": _error(problem),
    }


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _error(problem: Mapping[str, Any]) -> str:
    """The first line of what was raised; Great Expectations gives one such object, or one a metric."""
    found = problem if "raised_exception" in problem else next(iter(problem.values()), {})
    return str(found.get("exception_message") or "").split("\n")[0] if found.get("raised_exception") else ""


if __name__ == "__main__":
    main()
