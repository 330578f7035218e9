"""Our kinds of expectations as Great Expectations knows them. Importing this makes them known, and takes seconds."""

from typing import Any, ClassVar

from great_expectations.compatibility import pydantic
from great_expectations.execution_engine import SqlAlchemyExecutionEngine  # type: ignore[attr-defined]
from great_expectations.expectations.core import UnexpectedRowsExpectation  # type: ignore[attr-defined]
from great_expectations.expectations.expectation import ColumnMapExpectation
from great_expectations.expectations.metrics.map_metric_provider import ColumnMapMetricProvider  # type: ignore[attr-defined]
from great_expectations.expectations.metrics.map_metric_provider.column_condition_partial import (
    column_condition_partial,
)
from sqlalchemy import Boolean, literal_column

COUNT = "unexpected_rows_query.row_count"


class _Counted(UnexpectedRowsExpectation):
    """No row of its query is expected. Its rows are counted, not fetched, which the base class does as well."""

    metric_dependencies: ClassVar[tuple[str, ...]] = (COUNT,)

    @pydantic.validator("unexpected_rows_query")
    def _validate_query(cls, query: str) -> str:  # noqa: N805 - as pydantic calls it
        """The table stands in it already, and no brace is a place for it."""
        return query.replace("{", "{{").replace("}", "}}")

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None
    ) -> dict[str, Any]:
        found = metrics[COUNT]
        return {"success": found == 0, "result": {"observed_value": found}}


class ExpectReferencesToHold(_Counted):
    """Every foreign key finds its row, and a row of the same workspace."""


class ExpectSequencesToBeAhead(_Counted):
    """The sequences of a table stand at or behind no number that it holds."""


class ExpectNumbersToFollowTime(_Counted):
    """A higher number is not of an earlier time."""


class ExpectNumbersWithoutGaps(_Counted):
    """Within each group the numbers count up from the first."""


class ExpectFiguresToReconcile(_Counted):
    """What is kept is what is counted afresh."""


class ExpectQueryToFindNothing(_Counted):
    """A query of the suite finds no row."""


class RowsHold(ColumnMapMetricProvider):
    """A condition in SQL, looked at in the same pass over the table as all conditions on its columns.

    Only conditions that belong to one column are gathered into one statement; this one may name others as well.
    """

    condition_metric_name = "column_values.rows_hold"
    condition_value_keys = ("condition",)
    filter_column_isnull = False

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column: Any, condition: str, **_: Any) -> Any:  # noqa: N805 - as the decorator calls it
        return literal_column(f"coalesce(({condition}), true)", Boolean)


class ExpectRowsToHold(ColumnMapExpectation):
    """Every row fulfils a condition; a condition that is NULL is fulfilled."""

    condition: str
    map_metric: ClassVar[str] = "column_values.rows_hold"
    success_keys: ClassVar[tuple[str, ...]] = ("mostly", "condition")
    args_keys: ClassVar[tuple[str, ...]] = ("column", "condition")
