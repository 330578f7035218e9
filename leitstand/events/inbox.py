"""Event files that are laid into a folder: `<data_dir>/inbox/<workspace>/`.

A file is taken when it has stopped changing, imported, and moved to `done/` or `failed/` below it, with a report
beside it. `options.json` in the workspace's folder may name what completes a run, the funnel and the zone.
"""

import json
import time
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from leitstand.db.engine import transaction
from leitstand.db.models import Workspace
from leitstand.errors import InvalidInput, LeitstandError, Unavailable
from leitstand.events.importer import import_file
from leitstand.identity.workspaces import list_workspaces
from leitstand.machine_lock import alone
from leitstand.settings import Settings
from leitstand.telemetry.logs import get_logger
from leitstand.words import msg

FOLDER = "inbox"
DONE, FAILED = "done", "failed"
OPTIONS = "options.json"
LOCK = ".lock"
SETTLED_SECONDS = 5.0
# What a copy is called while it is not yet whole.
UNFINISHED = (".part", ".tmp", ".crdownload", ".filepart")
log = get_logger("inbox")


@dataclass(frozen=True)
class ImportOptions:
    """What `options.json` may say: the activities that complete a run, the funnel, the workspace's zone."""

    complete: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    zone: str | None = None


@dataclass(frozen=True)
class InboxResult:
    """What became of one file; `report` holds the import's figures, or the error."""

    workspace: str
    file: str
    ok: bool
    summary: str
    report: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "workspace": self.workspace,
            "file": self.file,
            "ok": self.ok,
            "summary": self.summary,
            **self.report,
        }


def scan(engine: Engine, settings: Settings) -> list[InboxResult]:
    """Import what lies in the inbox; nothing where another scan is going on.

    Raises:
        Unavailable: the database went away; files not yet done stay where they are.
    """
    root = settings.data_dir / FOLDER
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    with alone(root / LOCK) as free:
        if not free:
            return []
        with transaction(engine) as session:
            workspaces = list(list_workspaces(session))
        _name_strangers(root, {workspace.slug for workspace in workspaces})
        return [
            result
            for workspace in workspaces
            for result in _scan_one(engine, root / workspace.slug, workspace)
        ]


def _name_strangers(root: Path, known: set[str]) -> None:
    strangers = sorted(path.name for path in root.iterdir() if path.is_dir() and path.name not in known)
    if strangers:
        log.warning("folders of no workspace", folders=strangers)


def _scan_one(engine: Engine, folder: Path, workspace: Workspace) -> list[InboxResult]:
    for needed in (folder, folder / DONE, folder / FAILED):
        needed.mkdir(exist_ok=True, mode=0o700)
    return [_take(engine, path, workspace) for path in settled(folder, time.time())]


def settled(folder: Path, now: float) -> list[Path]:
    """The files to take, oldest first: whole ones, that no link brings in from elsewhere.

    Args:
        now: seconds since 1970.
    """
    found = []
    for path in folder.iterdir():
        ours = path.name == OPTIONS or path.name.startswith(".") or path.name.lower().endswith(UNFINISHED)
        if ours or path.is_symlink() or not path.is_file():
            continue
        changed = path.stat().st_mtime
        if now - changed >= SETTLED_SECONDS:
            found.append((changed, path.name, path))
    return [path for _, _, path in sorted(found)]


def _take(engine: Engine, path: Path, workspace: Workspace) -> InboxResult:
    try:
        options = read_options(path.parent / OPTIONS)
        done = import_file(
            engine,
            path,
            workspace_id=workspace.id,
            complete=options.complete,
            steps=options.steps,
            zone=options.zone,
        )
    except (Unavailable, SQLAlchemyError, psycopg.Error):
        raise
    except Exception as error:
        log.exception("file not imported", workspace=workspace.slug, file=path.name)
        return _put_away(path, _failure(path, workspace, error))
    report = done.to_dict()
    damaged = "the file is damaged; what stands before was taken; " if done.truncated else ""
    summary = (
        f"{damaged}{report['accepted']:,} new, {report['duplicates']:,} known, {report['refused']:,} refused"
    )
    return _put_away(path, InboxResult(workspace.slug, path.name, not done.truncated, summary, report))


def _failure(path: Path, workspace: Workspace, error: Exception) -> InboxResult:
    if isinstance(error, LeitstandError):
        report = {"error": error.message, "hint": error.hint}
    else:
        report = {"error": f"{type(error).__name__}: an unexpected error; the log holds more", "hint": ""}
    return InboxResult(workspace.slug, path.name, False, report["error"], report)


def read_options(path: Path) -> ImportOptions:
    """What `options.json` says, nothing where there is none.

    Raises:
        InvalidInput: it is not what it should be.
    """
    if not path.exists():
        return ImportOptions()
    hint = msg(
        '{options} holds an object like {{"complete": ["Paid"], "steps": ["Cart", "Paid"], "zone": "Europe/Berlin"}}.',
        options=OPTIONS,
    )
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(
            msg("{options} can't be read: {error}.", options=OPTIONS, error=error), hint=hint
        ) from error
    if not isinstance(said, dict) or not set(said) <= {known.name for known in fields(ImportOptions)}:
        raise InvalidInput(
            msg("{options} holds something else than complete, steps and zone.", options=OPTIONS), hint=hint
        )
    lists = [said[name] for name in ("complete", "steps") if name in said]
    if not all(
        isinstance(names, list) and all(isinstance(name, str) for name in names) for names in lists
    ) or not isinstance(said.get("zone", ""), str):
        raise InvalidInput(
            msg("{options}: complete and steps are lists of names, zone is one name.", options=OPTIONS),
            hint=hint,
        )
    return ImportOptions(**said)


def _put_away(path: Path, result: InboxResult) -> InboxResult:
    """Move the file, then write the report beside it: a report never stands without its file."""
    place = path.parent / (DONE if result.ok else FAILED)
    target = place / f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{path.name}"
    path.replace(target)
    report = target.with_name(target.name + ".report.json")
    unfinished = report.with_name("." + report.name)
    unfinished.write_text(json.dumps(result.to_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    unfinished.replace(report)
    return result
