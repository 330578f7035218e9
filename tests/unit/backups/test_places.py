"""No code stores anything that no backup covers: every bucket and every folder that it names is a known place.

The code is read, not run: a bucket is followed to the setting that names it, through the names of its module.
"""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from leitstand.backups.places import COPIED, FOLDERS, PLACES
from leitstand.settings import REPOSITORY, Settings
from leitstand.storage.objects import ObjectStorage

PACKAGES = ("leitstand", "serving", "web", "api", "flows", "panel_apps")
WRITING = {
    "put_bytes",
    "put_file",
    "put_object",
    "upload",
    "upload_file",
    "upload_fileobj",
    "upload_part",
    "create_multipart_upload",
    "copy_object",
    "create_bucket",
    "ensure_bucket",
}
# What takes its bucket from whoever calls it, and from where that is. Add to it only what stores in listed places.
GIVEN = {
    "leitstand/backups/archive.py": {"self.bucket": "bucket_backups"},
    "leitstand/backups/object_targets.py": {
        "self.name": "a bucket that keeps copied objects, or one outside"
    },
    "leitstand/backups/object_restore.py": {"plan.target.name": "the same"},
    "leitstand/backups/objects.py": {"copies.bucket": "bucket_copies", "self.copies.bucket": "bucket_copies"},
    "leitstand/backups/operations.py": {"job.bucket": "bucket_backups"},
    "leitstand/backups/parts.py": {"self._bucket": "bucket_backups"},
    "leitstand/backups/secret_files.py": {"job.bucket": "bucket_backups"},
    "leitstand/backups/entries.py": {"bucket": "bucket_backups, or that of the second store"},
    "leitstand/backups/pins.py": {"bucket": "bucket_backups"},
    "leitstand/hetzner/buckets.py": {"self.name": "one that an environment's description names"},
    "leitstand/events/archive/moving.py": {
        "settings": "bucket_media, in leitstand/events/archive/objects.py"
    },
}
# What takes its path under <data_dir> from whoever calls it.
GIVEN_FOLDERS = {
    "leitstand/events/stuck.py": {"FOLDER": "`inbox`"},
    "leitstand/runbooks/disk_full.py": {"path": "one that may go", "reserve.NAME": "`reserve`"},
    "leitstand/runbooks/space.py": {"path": "the same"},
    "leitstand/backups/secret_backups.py": {"name": "a file of `secrets` or `keys`"},
    "leitstand/backups/secret_files.py": {
        "f'{PREFIX}{name}'": "a file of `secrets`",
        "name": "a file of `keys`",
    },
    "leitstand/backups/secret_restore.py": {"name": "of `secrets` or `keys`", "change.name": "the same"},
    "leitstand/embedded/rotation_journal.py": {"name": "a file of `secrets` or `keys`"},
}
LAYER = "leitstand/storage/"


def sources() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            yield path.relative_to(REPOSITORY).as_posix(), path.read_text()


def unlisted_buckets(name: str, source: str) -> list[str]:
    """Calls that store in a bucket which is no setting of a known place, in words."""
    known = {place.setting for place in PLACES}
    found: list[str] = []
    if not any(name in source for name in WRITING):
        return found
    for call, assigned in _scoped(ast.parse(source), ast.Call):
        if isinstance(call.func, ast.Attribute) and call.func.attr in WRITING and (bucket := _bucket(call)):
            texts = {bucket, *assigned.get(bucket, ())}
            settings = {text.rpartition(".")[2] for text in texts}
            if not settings & known and bucket not in GIVEN.get(name, {}):
                found.append(f"{name}:{call.lineno} stores in {bucket}")
    return found


def _bucket(call: ast.Call) -> str:
    """The expression that names the bucket; empty for a call of something else of the same name."""
    for keyword in call.keywords:
        if keyword.arg in {"bucket", "Bucket"}:
            return ast.unparse(keyword.value)
    return ast.unparse(call.args[0]) if call.args else ""


def unlisted_folders(name: str, source: str) -> list[str]:
    """Paths under <data_dir> whose first part is no known folder, in words."""
    found: list[str] = []
    if "data_dir" not in source:
        return found
    for node, assigned in _scoped(ast.parse(source), ast.BinOp):
        if isinstance(node.op, ast.Div) and ast.unparse(node.left).endswith("data_dir"):
            texts = {ast.unparse(node.right), *assigned.get(ast.unparse(node.right), ())}
            given = ast.unparse(node.right) in GIVEN_FOLDERS.get(name, {})
            if not given and not {text.strip("'\"") for text in texts} & set(FOLDERS):
                found.append(f"{name}:{node.lineno} stores in <data_dir>/{ast.unparse(node.right)}")
    return found


def _scoped[Node: ast.AST](tree: ast.AST, kind: type[Node]) -> Iterator[tuple[Node, dict[str, set[str]]]]:
    """Every node of a kind, with what the names of its function and its module are set to."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    within = {id(node): function for function in functions for node in ast.walk(function)}
    module = _assignments(node for node in ast.walk(tree) if id(node) not in within)
    local = {id(function): {**module, **_assignments(ast.walk(function))} for function in functions}
    for node in ast.walk(tree):
        if isinstance(node, kind):
            function = within.get(id(node))
            yield node, local[id(function)] if function else module


def _assignments(nodes: Iterable[ast.AST]) -> dict[str, set[str]]:
    """What each name is ever set to, tuples taken apart."""
    found: dict[str, set[str]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                for one, value in _pairs(target, node.value):
                    found.setdefault(ast.unparse(one), set()).add(ast.unparse(value))
    return found


def _pairs(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    if not (isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)):
        return [(target, value)]
    if len(target.elts) != len(value.elts):
        return []
    return list(zip(target.elts, value.elts, strict=True))


def test_every_bucket_that_code_stores_in_is_a_known_place() -> None:
    found = [
        line
        for name, source in sources()
        if not name.startswith(LAYER)
        for line in unlisted_buckets(name, source)
    ]
    assert found == [], "list the bucket in leitstand/backups/places.py: copied, or why it needs no copy"


def test_every_folder_that_code_stores_in_is_a_known_place() -> None:
    found = [line for name, source in sources() for line in unlisted_folders(name, source)]
    assert found == [], "list the folder in leitstand/backups/places.py with what covers it"


def test_every_bucket_of_the_settings_is_a_known_place() -> None:
    assert {name for name in Settings.model_fields if name.startswith("bucket_")} == {
        place.setting for place in PLACES
    }
    assert {"bucket_media", "bucket_evidence"} <= {place.setting for place in COPIED}


def test_every_copied_bucket_keeps_its_versions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    made: dict[str, bool] = {}
    monkeypatch.setattr(
        ObjectStorage,
        "ensure_bucket",
        lambda _, bucket, *, versioned, **_more: made.update({bucket: versioned}),
    )
    ObjectStorage(settings).ensure_buckets()
    assert all(made[place.bucket(settings)] for place in COPIED)


def test_the_layer_of_storage_is_called_by_nothing_that_names_no_bucket() -> None:
    assert sum(source.count(".put_") for name, source in sources() if not name.startswith(LAYER)) > 10


@pytest.mark.parametrize(
    "code",
    [
        "def keep(storage, settings):\n    storage.put_bytes(settings.bucket_avatars, 'a', b'')",
        "def keep(storage):\n    storage.put_file('avatars', 'a', path)",
        "def keep(storage, settings):\n    bucket = settings.bucket_avatars\n    storage.put_bytes(bucket, 'a', b'')",
        "def keep(client):\n    client.put_object(Bucket='avatars', Key='a', Body=b'')",
        "def keep(storage, bucket):\n    storage.put_bytes(bucket, 'a', b'')",
        "def one(s):\n    bucket = s.bucket_media\n\ndef keep(storage, bucket):\n    storage.put_bytes(bucket, 'a', b'')",
    ],
)
def test_a_bucket_that_nothing_covers_is_found(code: str) -> None:
    assert len(unlisted_buckets("leitstand/avatars.py", code)) == 1


@pytest.mark.parametrize(
    "code",
    [
        "def keep(storage, settings):\n    storage.put_bytes(settings.bucket_media, 'a', b'')",
        "def keep(storage, settings):\n    store, bucket = storage, settings.bucket_media\n    store.put_bytes(bucket, 'a', b'')",
    ],
)
def test_a_bucket_that_is_copied_passes(code: str) -> None:
    assert unlisted_buckets("leitstand/avatars.py", code) == []


def test_a_folder_that_nothing_covers_is_found() -> None:
    assert unlisted_folders("a.py", "path = settings.data_dir / 'avatars' / name")
    assert unlisted_folders("a.py", "NAME = 'avatars'\npath = settings.data_dir / NAME")
    assert not unlisted_folders("a.py", "path = settings.data_dir / 'tmp' / name")
