"""The process that runs one notebook through Papermill: `python -m leitstand.runbooks.execute`.

It reads one JSON request from its standard input and writes one JSON line a cell to its standard output. When its
input ends, the process that asked is gone: it ends itself, and the kernel, which watches its parent, follows.
"""

import json
import os
import sys
import threading
from typing import Any

ENGINE = "leitstand"
START_SECONDS = 120
SHOWN = 4_000


def main() -> int:
    """Run the requested notebook; gives 0 when Papermill came to its end, even with a failed cell."""
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import papermill
    from papermill.exceptions import PapermillExecutionError

    _register_engine()
    try:
        papermill.execute_notebook(
            request["input"],
            request["output"],
            parameters=request["parameters"],
            engine_name=ENGINE,
            kernel_name=request["kernel"],
            language="python",
            progress_bar=False,
            start_timeout=START_SECONDS,
            execution_timeout=request["cell_seconds"],
            cwd=request["folder"],
        )
        error = ""
    except PapermillExecutionError as failure:
        error = f"{failure.ename}: {failure.evalue}"
    except Exception as failure:
        error = f"{type(failure).__name__}: {failure}"
    _say({"done": True, "error": error})
    return 0


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)  # noqa: T201 - the protocol


def _shown(cell: Any) -> str:
    """What a cell showed, as text."""
    texts = []
    for output in cell.get("outputs", []):
        plain = output.get("data", {}).get("text/plain", "")
        texts.append(output.get("text", "") or plain or output.get("evalue", ""))
    return "\n".join(filter(None, texts))[-SHOWN:]


def _register_engine() -> None:
    from papermill.engines import NBClientEngine, papermill_engines

    class Telling(NBClientEngine):  # type: ignore[misc]
        """Papermill's own engine, telling when a cell starts and what it showed."""

        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
            started, ended = nb_man.cell_start, nb_man.cell_complete
            code = [number for number, cell in enumerate(nb_man.nb.cells) if cell.cell_type == "code"]

            def cell_start(cell: Any, cell_index: int | None = None, **more: Any) -> Any:
                number = sum(one <= (cell_index or 0) for one in code)
                _say({"cell": cell_index, "number": number, "count": len(code)})
                return started(cell, cell_index, **more)

            def cell_complete(cell: Any, cell_index: int | None = None, **more: Any) -> Any:
                _say({"output": _shown(cell)})
                return ended(cell, cell_index, **more)

            nb_man.cell_start, nb_man.cell_complete = cell_start, cell_complete
            return super().execute_managed_notebook(nb_man, kernel_name, **options)

    papermill_engines.register(ENGINE, Telling)


if __name__ == "__main__":
    sys.exit(main())
