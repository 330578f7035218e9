"""What the runtime and the query service are measured beside: FastAPI, the same engine and pool, one INSERT a request."""

from fastapi import FastAPI
from sqlalchemy import text

from leitstand.db.engine import get_engine

TABLE = (
    "CREATE TABLE IF NOT EXISTS benchmark_row (id uuid PRIMARY KEY DEFAULT uuidv7(), content text NOT NULL)"
)
INSERT = text("INSERT INTO benchmark_row (content) VALUES (:content) RETURNING id")


def create() -> FastAPI:
    """The application; `uvicorn --factory benchmarks.runtime.bare:create`. Its table must be there."""
    app = FastAPI(openapi_url=None)

    @app.get("/readyz")
    def ready() -> dict[str, str]:
        return {"status": "pass"}

    @app.post("/rows")
    def row(content: str) -> dict[str, str]:
        with get_engine().begin() as connection:
            return {"id": str(connection.execute(INSERT, {"content": content}).scalar_one())}

    return app
