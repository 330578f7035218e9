"""Who makes a workspace's vectors: the model on this machine, or the one at the endpoint that the workspace has chosen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leitstand.knowledge.encoder import MODEL, encode
from leitstand.language_models.calls import Asker
from leitstand.language_models.embedding import embed
from leitstand.language_models.endpoints import Target, embedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PURPOSE = "embedding"
# For a batch of passages; somebody waits for a question.
SECONDS, SECONDS_OF_A_QUESTION = 60.0, 3.0


@dataclass(frozen=True)
class Source:
    """Who makes vectors; `target` is None where it is our own model. Vectors bear the name of their model."""

    workspace_id: UUID
    target: Target | None = None

    @property
    def model(self) -> str:
        """The name of the model."""
        return self.target.model if self.target else MODEL


def source_of(session: Session, workspace_id: UUID) -> Source:
    """Who makes a workspace's vectors now."""
    return Source(workspace_id, embedder(session, workspace_id))


def made(
    engine: Engine, source: Source, texts: Sequence[str], *, seconds: float = SECONDS
) -> "NDArray[np.float32]":
    """A row of length 1 for each text.

    Raises:
        LeitstandError: as `language_models.embedding.embed`, where an endpoint is asked.
    """
    if source.target is None:
        return encode(texts)
    import numpy as np

    asker = Asker(source.workspace_id, PURPOSE)
    return np.array(embed(engine, source.target, texts, asker=asker, seconds=seconds), dtype=np.float32)
