"""A bench for runs of notebooks: a data folder and buckets of its own, and notebooks of a few lines."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from sqlalchemy import Engine

from leitstand.backups.work import Progress
from leitstand.db.engine import make_engine
from leitstand.runbooks import documents
from leitstand.runbooks.drills import run_runbook
from leitstand.runbooks.kernels import setting_variables
from leitstand.runbooks.results import DrillResult
from leitstand.settings import Settings, get_settings
from leitstand.storage.objects import ObjectStorage

BEGIN = """
from leitstand.runbooks.evidence import Evidence
from leitstand.runbooks.taking_up import EVIDENCE, take_up

work = take_up(run_id)
evidence = Evidence(work.folder / EVIDENCE)
"""
TEXT = "# A bench\n\n**When.** When the bench\nwobbles.\n\nNot for <script>alert(1)</script>."
PARAMETERS = """
run_id = "sandbox"
greeting = "hello"  # what it says
dry_run = True
plan_sha256 = ""
""".strip()
END = "evidence.check('it was looked at', True, greeting)\nwork.release()"
NAME = "bench"


@dataclass
class Bench:
    """Settings, the database that they name, and a folder of notebooks with `rb900-bench`."""

    settings: Settings
    engine: Engine

    @property
    def storage(self) -> ObjectStorage:
        return ObjectStorage(self.settings)

    def write(self, *sources: str) -> None:
        """The notebook: its parameters, the beginning of every runbook, these cells, and the end."""
        cells = [new_markdown_cell(TEXT), _tagged(PARAMETERS)]  # type: ignore[no-untyped-call]
        for number, source in enumerate((BEGIN, *sources, END)):
            cells += [new_markdown_cell(f"## Step {number}"), new_code_cell(source.strip())]  # type: ignore[no-untyped-call]
        folder = self.settings.notebooks_dir / "runbooks"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"rb900-{NAME}.ipynb").write_text(documents.dumps(new_notebook(cells=cells)))  # type: ignore[no-untyped-call]

    def run(
        self, parameters: dict[str, object] | None = None, *, progress: Progress | None = None
    ) -> DrillResult:
        return run_runbook(
            self.engine, self.settings, NAME, parameters or {}, requested_by="anna", progress=progress
        )

    def without_database(self) -> "Bench":
        """The same place on a day on which nothing listens where the database was."""
        url = "postgresql+psycopg://leitstand:x@127.0.0.1:9/leitstand"
        settings = self.settings.model_copy(update={"database_url_override": url})
        return Bench(settings, make_engine(settings))

    def without_store(self) -> "Bench":
        """The same place on a day on which nothing listens where the store was."""
        settings = self.settings.model_copy(update={"s3_endpoint": "http://127.0.0.1:9"})
        return Bench(settings, make_engine(settings))

    def stored(self, address: str) -> bytes:
        bucket, _, key = address.removeprefix("s3://").partition("/")
        return self.storage.get_bytes(bucket, key)


def _tagged(source: str) -> object:
    return new_code_cell(source, metadata={"tags": ["parameters"]})  # type: ignore[no-untyped-call]


@pytest.fixture
def bench(engine: Engine, settings: Settings, tmp_path: Path) -> Iterator[Bench]:
    """An empty bench."""
    unique = secrets.token_hex(4)
    buckets = {f"bucket_{role}": f"{role}-{unique}" for role in ("media", "backups", "evidence", "insights")}
    own = settings.model_copy(
        update={**buckets, "data_dir": tmp_path / "data", "notebooks_dir": tmp_path / "notebooks"}
    )
    yield Bench(own, engine)


@pytest.fixture
def current(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """The bench as the environment of this process: what `get_settings()` gives."""
    for name, value in setting_variables(bench.settings).items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    yield bench
    get_settings.cache_clear()
