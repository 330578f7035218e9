"""Keys as paths: whatever a key is, its file lies in the folder, and no two keys share one."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.backups.object_history import Wanted
from leitstand.backups.object_targets import FolderTarget
from leitstand.errors import Conflict

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
FOLDER = FolderTarget(Path("/restored"))


@given(KEYS)
def test_nothing_leads_out_of_the_folder(key: str) -> None:
    path = FOLDER.path(key)
    assert ".." not in path.parts and path.is_relative_to("/restored") and "\0" not in str(path)


@given(KEYS, KEYS)
def test_no_two_keys_share_a_file(one: str, other: str) -> None:
    assert (FOLDER.path(one) == FOLDER.path(other)) == (one == other)


@pytest.mark.parametrize("key", ["../../etc/passwd", "/etc/passwd", "a/../../b", "..", "a//b", "a/"])
def test_keys_that_mean_something_to_a_file_system(key: str) -> None:
    assert FOLDER.path(key).resolve().is_relative_to("/restored") and FOLDER.path(key) != Path("/restored")


def test_an_object_whose_path_is_another_object_is_refused(tmp_path: Path) -> None:
    content = tmp_path / "content"
    content.write_bytes(b"x")
    target = FolderTarget(tmp_path / "restored")
    target.put(Wanted("a", "", 1, "", "text/plain", {}, True), content)
    with pytest.raises(Conflict, match="can't lie in a folder"):
        target.put(Wanted("a/b", "", 1, "", "text/plain", {}, True), content)
