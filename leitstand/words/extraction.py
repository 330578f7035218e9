"""Finding the texts to translate in Python and templates.

Python is read as a tree, so that a text marks itself by where it stands: an argument of one of `MARKERS`, or the `title` of
a class of errors. Templates are read by Jinja's own extractor.
"""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Where texts are: folders of the repository.
PYTHON = ("leitstand", "serving", "web", "api", "panel_apps")
TEMPLATES = (
    "serving/shell/templates",
    "web/templates",
    "api/runtime_pages/templates",
    "panel_apps/templates",
)
# Calls whose arguments are texts: by place, and by name.
MARKERS: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {
    "N_": ((0,), ()),
    "msg": ((0,), ()),
    "say": ((0,), ()),
    "_": ((0,), ()),
    "gettext": ((0,), ()),
    "Condition": ((1, 2), ("says", "hint")),
    "check": ((0, 2), ()),
    "skip": ((0, 1), ()),
    "Area": ((1, 5, 6), ("title", "purpose", "today")),
    "Group": ((0,), ("title",)),
    "Kind": ((1, 4, 5), ("title", "audience", "purpose")),
    "Service": ((1,), ("title",)),
    "Series": ((1,), ("title",)),
    "Column": ((1, 4), ("title", "definition")),
    "Table": ((0,), ("caption",)),
    "text": ((1, 2), ("title", "definition")),
    "count": ((1, 2), ("title", "definition")),
    "day": ((1, 2), ("title", "definition")),
}
# Names of MARKERS that mean something else outside of these files (the beginnings of their paths).
ONLY_IN = {
    "Condition": ("leitstand/backups/",),
    "check": ("leitstand/embedded/", "leitstand/runbooks/"),
    "skip": ("leitstand/embedded/", "leitstand/runbooks/"),
    "Area": ("leitstand/catalogue/areas.py",),
    "Group": ("leitstand/catalogue/areas.py",),
    "Kind": ("leitstand/reports/kinds.py",),
    "Service": ("leitstand/services.py",),
    "say": ("panel_apps/",),
    "Series": ("panel_apps/",),
    "Column": ("panel_apps/",),
    "Table": ("panel_apps/",),
    "text": ("panel_apps/",),
    "count": ("panel_apps/",),
    "day": ("panel_apps/",),
}
# The module of our classes of errors.
ERRORS = "leitstand.errors"
# Where errors are made that pages show in the language of the reader.
SPOKEN = (
    "api/runtime",
    "leitstand/agents/",
    "leitstand/backups/",
    "leitstand/billing/",
    "leitstand/catalogue/",
    "leitstand/checks/",
    "leitstand/companions/",
    "leitstand/conversations/",
    "leitstand/db/",
    "leitstand/embedded/",
    "leitstand/events/",
    "leitstand/identity/",
    "leitstand/imports/",
    "leitstand/insights/",
    "leitstand/integrations/",
    "leitstand/jobs/",
    "leitstand/knowledge/",
    "leitstand/language_models/",
    "leitstand/limits/",
    "leitstand/mail/",
    "leitstand/outgoing/",
    "leitstand/reports/",
    "leitstand/runbooks/",
    "leitstand/storage/foreign.py",
    "leitstand/storage/reader.py",
    "leitstand/storage/retries.py",
    "panel_apps/",
    "serving/",
    "web/",
)
# Notebooks whose title, occasion and names of parameters stand on pages; the rest of their text stays English.
NOTEBOOKS = "notebooks/runbooks"
# Drills, of which pages show the title alone.
DRILLS = "notebooks/restore-drills"
PLANS = "leitstand/limits/plans.json"
# Suites of data checks, each check with the rule in one sentence.
CHECKS = "data-checks/suites"
WHEN = re.compile(r"^\*\*When\.?\*\*[ \n]*(.+?)(?:\n\s*\n|\Z)", re.DOTALL | re.MULTILINE)
# Tables whose values are texts.
TABLES = ("PERMISSIONS", "DEFINITIONS", "SCRIPT_WORDS")
JINJA = {"trimmed": "true", "newstyle_gettext": "true", "trim_blocks": "true", "lstrip_blocks": "true"}


@dataclass
class Found:
    """One text: where it stands, and the form for several where it has one."""

    files: list[str] = field(default_factory=list)
    plural: str = ""


def extract(root: Path) -> dict[str, Found]:
    """Every text of a checkout, in the order of files and of their places in them.

    Args:
        root: the repository.
    """
    texts: dict[str, Found] = {}
    for path in _files(root):
        name = path.relative_to(root).as_posix()
        for text, plural in _python(path, name) if path.suffix == ".py" else _template(path):
            found = texts.setdefault(text, Found())
            found.plural = found.plural or plural
            if name not in found.files:
                found.files.append(name)
    for folder, words_of in ((NOTEBOOKS, _notebook), (DRILLS, _heading)):
        for path in sorted((root / folder).glob("*.ipynb")):
            for text in words_of(_cells(path)):
                texts.setdefault(text, Found()).files.append(path.relative_to(root).as_posix())
    for path in sorted((root / CHECKS).glob("*.json")):
        for check in json.loads(path.read_text(encoding="utf-8"))["expectations"]:
            texts.setdefault(check["meta"]["says"], Found()).files.append(path.relative_to(root).as_posix())
    for text in _plans(root / PLANS):
        texts.setdefault(text, Found()).files.append(PLANS)
    texts.pop("", None)
    return texts


def _files(root: Path) -> Iterator[Path]:
    for folder in TEMPLATES:
        yield from sorted((root / folder).rglob("*.html"))
    yield from (path for _, path in python_files(root))


def python_files(root: Path) -> Iterator[tuple[str, Path]]:
    """Every file of Python that may hold texts, by its path in the repository."""
    for folder in PYTHON:
        for path in sorted((root / folder).rglob("*.py")):
            # Not this package itself.
            if "migrations" not in path.parts and path.parent != root / "leitstand/words":
                yield path.relative_to(root).as_posix(), path


def _template(path: Path) -> Iterator[tuple[str, str]]:
    from jinja2.ext import babel_extract

    with path.open("rb") as file:
        for _, function, message, _ in babel_extract(file, ("_", "gettext", "ngettext"), [], dict(JINJA)):
            if isinstance(message, tuple):
                one, several = (message[0] or "", message[1] or "") if function == "ngettext" else ("", "")
                yield one or str(message[0] or ""), several
            elif message:
                yield message, ""


def _cells(path: Path) -> list[Any]:
    cells: list[Any] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return cells


def _plans(path: Path) -> Iterator[str]:
    """What the plan says that an installation begins with."""
    for plan in json.loads(path.read_text(encoding="utf-8"))["plans"] if path.exists() else ():
        yield from (plan["title"], plan.get("description", ""))


def _heading(cells: list[Any]) -> Iterator[str]:
    title = _read(cells).partition("\n")[0].removeprefix("# ")
    title = title.removeprefix("Runbook: ").removeprefix("Restore drill: ")
    yield title[:1].upper() + title[1:]


def _read(cells: list[Any]) -> str:
    return "\n\n".join("".join(cell["source"]).strip() for cell in cells if cell["cell_type"] == "markdown")


def _notebook(cells: list[Any]) -> Iterator[str]:
    """What pages show of a runbook; as `leitstand.runbooks.texts` and `.library` find it."""
    text = _read(cells)
    yield from _heading(cells)
    if found := WHEN.search(text):
        yield " ".join(found[1].split())
    for cell in cells:
        if "parameters" in cell["metadata"].get("tags", []):
            for line in ast.parse("".join(cell["source"])).body:
                target = line.targets[0] if isinstance(line, ast.Assign) else getattr(line, "target", None)
                if isinstance(target, ast.Name) and target.id != "run_id":
                    yield target.id.replace("_", " ").capitalize()


def _python(path: Path, name: str) -> Iterator[tuple[str, str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    errors = errors_in(tree) if name.startswith(SPOKEN) else []
    yield from ((text, "") for error in errors for text in _of_error(error))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from ((text, "") for text in _of_call(node, name))
        elif isinstance(node, ast.AnnAssign):
            yield from ((text, "") for text in _of_table(node))
        elif isinstance(node, ast.ClassDef):
            yield from ((text, "") for text in _title_of(node))


def _of_call(node: ast.Call, name: str) -> Iterator[str]:
    called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    places, names = MARKERS.get(called, ((), ()))
    if not name.startswith(ONLY_IN.get(called, (name,))):
        return
    chosen = [node.args[place] for place in places if place < len(node.args)]
    chosen += [keyword.value for keyword in node.keywords if keyword.arg in names]
    yield from (one.value for one in chosen if isinstance(one, ast.Constant) and isinstance(one.value, str))


def _of_table(node: ast.AnnAssign) -> Iterator[str]:
    """The values of a table of texts."""
    if isinstance(node.target, ast.Name) and node.target.id in TABLES and isinstance(node.value, ast.Dict):
        yield from (one.value for one in node.value.values if isinstance(one, ast.Constant))  # type: ignore[misc]


def errors_in(tree: ast.Module) -> list[ast.Call]:
    """Calls that make errors: those that are raised at once, and those of our own classes, which somebody else raises."""
    nodes = list(ast.walk(tree))
    ours = {
        name.asname or name.name
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module == ERRORS
        for name in node.names
    }
    for node in nodes:
        if isinstance(node, ast.ClassDef) and any(getattr(base, "id", "") in ours for base in node.bases):
            ours.add(node.name)
    raised = {id(node.exc) for node in nodes if isinstance(node, ast.Raise)}
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    return [call for call in calls if id(call) in raised or getattr(call.func, "id", "") in ours]


def _of_error(call: ast.Call) -> Iterator[str]:
    """The message and the hint of an error that is made with constants."""
    given = [*call.args[:1], *(word.value for word in call.keywords if word.arg == "hint")]
    chosen = [
        part for one in given for part in ([one.body, one.orelse] if isinstance(one, ast.IfExp) else [one])
    ]
    yield from (one.value for one in chosen if isinstance(one, ast.Constant) and isinstance(one.value, str))


def _title_of(node: ast.ClassDef) -> Iterator[str]:
    """The title of a class of errors, which is set together with its `kind`."""
    for line in node.body:
        if not isinstance(line, ast.Assign):
            continue
        target, value = line.targets[0], line.value
        if not isinstance(target, ast.Tuple) or not isinstance(value, ast.Tuple):
            continue
        named = {
            name.id: given
            for name, given in zip(target.elts, value.elts, strict=False)
            if isinstance(name, ast.Name)
        }
        title = named.get("title")
        if "kind" in named and isinstance(title, ast.Constant) and isinstance(title.value, str):
            yield title.value
