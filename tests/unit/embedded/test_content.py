"""The demo is filled again when any of its files changed, and only then."""

from pathlib import Path

from leitstand.embedded.content import fingerprint


def test_it_changes_with_content_and_names(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").write_text("1")
    first = fingerprint(tmp_path)
    assert fingerprint(tmp_path) == first
    (tmp_path / "a" / "one").write_text("2")
    second = fingerprint(tmp_path)
    (tmp_path / "a" / "one").rename(tmp_path / "a" / "two")
    third = fingerprint(tmp_path)
    (tmp_path / "b").write_text("")
    assert len({first, second, third, fingerprint(tmp_path)}) == 4


def test_where_it_lies_does_not_matter(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("same")
    assert fingerprint(tmp_path / "here") == fingerprint(tmp_path / "there")
