"""Days and instants as requests name them: ISO 8601 and nothing else, as the OpenAPI document says."""

from datetime import date
from typing import Annotated

from pydantic import BeforeValidator

from leitstand.catalogue.kinds.base import Instant, written

__all__ = ["Day", "Instant"]

Day = Annotated[date, BeforeValidator(written)]
