"""A tar stream becomes files inside one folder, or is refused."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.backups.unpacking import extract
from leitstand.errors import IntegrityFailed


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for member, content in members:
            tar.addfile(member, io.BytesIO(content))
    return made.getvalue()


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(content), kind, "elsewhere" if kind in b"12" else ""
    return info, content


def taking(content: bytes, most: int = 1 << 20) -> Callable[[int], memoryview]:
    """Gives at most `most` bytes at a time, as a stream does."""
    stream = io.BytesIO(content)
    return lambda size: memoryview(stream.read(min(size, most)))


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}(/[a-z0-9_.]{1,8}x)?", fullmatch=True), st.binary(max_size=3000), max_size=6
    ),
    st.integers(1, 2000),
)
def test_files_come_out_as_they_went_in_whatever_the_pieces(files: dict[str, bytes], most: int) -> None:
    import tempfile

    folders = {name.partition("/")[0] for name in files if "/" in name}
    files = {name: content for name, content in files.items() if name not in folders}
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder)
        extract(taking(archive(*(member(name, content) for name, content in files.items())), most), target)
        found = {
            str(path.relative_to(target)): path.read_bytes() for path in target.rglob("*") if path.is_file()
        }
        assert found == files


def test_folders_are_private_and_empty_files_are_there(tmp_path: Path) -> None:
    extract(
        taking(
            archive(member("base", kind=tarfile.DIRTYPE), member("base/1", b""), member("x/y/z", b"deep"))
        ),
        tmp_path,
    )
    assert (tmp_path / "base").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*") if path.is_file()} == {0o600}
    assert (tmp_path / "base" / "1").read_bytes() == b"" and (
        tmp_path / "x" / "y" / "z"
    ).read_bytes() == b"deep"


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("../above", tarfile.REGTYPE, "outside"),
        ("a/../../above", tarfile.REGTYPE, "outside"),
        ("/etc/passwd", tarfile.REGTYPE, "outside"),
        ("link", tarfile.SYMTYPE, "neither"),
        ("hard", tarfile.LNKTYPE, "neither"),
        ("device", tarfile.CHRTYPE, "neither"),
        ("pipe", tarfile.FIFOTYPE, "neither"),
    ],
)
def test_what_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str, kind: bytes, says: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises(IntegrityFailed, match=says):
        extract(taking(archive(member(name, kind=kind))), inside)
    assert list(tmp_path.iterdir()) == [inside] and list(inside.iterdir()) == []


@pytest.mark.parametrize("keep", [0, 100, 512, 700, 1600, 2048])
def test_a_stream_that_ends_too_early_is_refused(tmp_path: Path, keep: int) -> None:
    whole = archive(member("a", b"x" * 600), member("b", b"y" * 600))
    with pytest.raises(IntegrityFailed, match="too early"):
        extract(taking(whole[:keep]), tmp_path)


def test_what_is_no_tar_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IntegrityFailed, match="can't be unpacked"):
        extract(taking(b"nonsense" * 200), tmp_path)
