"""Finding texts that reach a person without a translation, as far as the code shows it.

A text that is put together while the program runs (an f-string, a sum) is another one each time: no catalogue can have
it. Errors that pages show may hold none, and what is given to a marker has to be a constant.
"""

import ast
import builtins
from collections.abc import Iterator
from pathlib import Path

from leitstand.words.extraction import SPOKEN, errors_in, python_files

# Calls that take a text to translate as their first argument, and below which folder they do.
SAYING = {"N_": "", "msg": "", "say": "panel_apps/"}
# Calls whose texts reach a person, and the folder in which they have that meaning.
TELLING = {"Condition": "leitstand/backups/", "Caution": "leitstand/backups/", "Reason": "leitstand/backups/"}
# Keywords of Panel's widgets that people read.
WIDGET_TEXTS = ("label", "name", "placeholder", "description", "title")


def unsaid(root: Path) -> list[str]:
    """Where such texts are: a line for each, with its file and line.

    Args:
        root: the repository.
    """
    return [
        f"{name}:{line}: {what}" for name, path in python_files(root) for line, what in in_file(path, name)
    ]


def in_file(path: Path, name: str) -> list[tuple[int, str]]:
    """The same of one file: lines and what is wrong there.

    Args:
        name: its path in the repository.
    """
    found = []
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if name.startswith(SPOKEN):
        found += [(one.lineno, "an error's text is not marked") for one in _unmarked(tree)]
        made = [one for call in errors_in(tree) for one in _texts_of(call)]
        found += [(one.lineno, "an error's text is made while the program runs") for one in made]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            marker = node.func.id if isinstance(node.func, ast.Name) else ""
            if marker in SAYING and name.startswith(SAYING[marker]) and not _constant(node.args[:1]):
                found.append((node.lineno, f"{marker}() takes a constant"))
            if marker in TELLING and name.startswith(TELLING[marker]):
                told = [one for given in node.args for one in _made(given)]
                found += [(one.lineno, "a text for people is made while the program runs") for one in told]
            found += [(one.lineno, "a widget's text is not translated") for one in _of_widget(node)]
    return found


def _texts_of(call: ast.Call) -> Iterator[ast.expr]:
    """The texts of an error of ours that are no constants and not marked; Python's own errors reach nobody."""
    if hasattr(builtins, _called(call)):
        return
    given = [*call.args[:1], *(word.value for word in call.keywords if word.arg == "hint")]
    for one in given:
        yield from _made(one)


def _unmarked(tree: ast.Module) -> Iterator[ast.expr]:
    """Texts that a function gives a name and raises by it: only a marker says that they are texts."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        inside = list(ast.walk(function))
        raised = {
            given.id
            for node in inside
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
            for given in [*node.exc.args[:1], *(word.value for word in node.exc.keywords)]
            if isinstance(given, ast.Name)
        }
        for node in inside:
            if isinstance(node, ast.Assign) and any(
                isinstance(one, ast.Name) and one.id in raised for one in node.targets
            ):
                yield from (one for one in [node.value, *_made(node.value)] if _bare(one))


def _bare(given: ast.expr) -> bool:
    return isinstance(given, ast.JoinedStr) or (
        isinstance(given, ast.Constant) and isinstance(given.value, str) and " " in given.value
    )


def _made(given: ast.expr) -> Iterator[ast.expr]:
    """The parts of an argument that are put together."""
    chosen = [given.body, given.orelse] if isinstance(given, ast.IfExp) else [given]
    yield from (each for each in chosen if isinstance(each, ast.JoinedStr) or _sum_of_texts(each))


def _sum_of_texts(given: ast.expr) -> bool:
    parts = ast.walk(given) if isinstance(given, ast.BinOp) else ()
    return any(isinstance(one, ast.Constant) and isinstance(one.value, str) for one in parts)


def _of_widget(node: ast.Call) -> Iterator[ast.expr]:
    if not ast.unparse(node.func).startswith("pn.widgets."):
        return
    for word in node.keywords:
        if word.arg in WIDGET_TEXTS and isinstance(word.value, ast.Constant | ast.JoinedStr):
            yield word.value


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _constant(arguments: list[ast.expr]) -> bool:
    return all(isinstance(one, ast.Constant) and isinstance(one.value, str) for one in arguments)
