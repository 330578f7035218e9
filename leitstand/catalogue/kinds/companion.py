"""Companions: their flow is kept and versioned on its own, and only treated here like a content."""

from typing import Any

from pydantic import ConfigDict

from leitstand.catalogue.kinds.base import Content


class Companion(Content):
    """A flow as it is kept; `leitstand.companions.flow` says what one must be. Empty: none yet."""

    model_config = ConfigDict(extra="allow", frozen=True)

    def document(self) -> dict[str, Any]:
        """The flow as it is kept."""
        return dict(self.model_extra or {})
