"""What the pages are measured beside: FastAPI, the same engine and pool, one query by primary key, one row as JSON."""

from typing import Any
from uuid import UUID

from fastapi import FastAPI
from sqlalchemy import select

from leitstand.db.engine import get_engine
from leitstand.db.models import Item


def create() -> FastAPI:
    """The application; `uvicorn --factory benchmarks.web.bare:create`."""
    app = FastAPI(openapi_url=None)

    @app.get("/readyz")
    def ready() -> dict[str, str]:
        return {"status": "pass"}

    @app.get("/items/{item_id}")
    def item(item_id: UUID) -> dict[str, Any]:
        query = select(Item.id, Item.kind, Item.title, Item.updated_at).where(Item.id == item_id)
        with get_engine().begin() as connection:
            return dict(connection.execute(query).one()._mapping)

    return app
