"""One member of a tar stream is copied, however the stream comes in pieces."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.backups.tar_member import TarMember


def archive(members: list[tuple[str, bytes]], form: int = tarfile.USTAR_FORMAT) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        folder = tarfile.TarInfo("base")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    return made.getvalue()


def fed(stream: bytes, pieces: int) -> tuple[bool, bytes]:
    sink = io.BytesIO()
    member = TarMember("backup_manifest", sink)
    for at in range(0, len(stream), pieces):
        member.feed(stream[at : at + pieces])
    return member.found, sink.getvalue()


@given(
    st.lists(st.binary(max_size=1500), max_size=4),
    st.binary(max_size=2000),
    st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT]),
    st.integers(1, 3000),
)
def test_it_is_found_wherever_it_is(others: list[bytes], content: bytes, form: int, pieces: int) -> None:
    before = [(f"base/{number}", one) for number, one in enumerate(others)]
    after = [("pg_wal/000000010000000000000001", b"x" * 700)]
    assert fed(archive([*before, ("backup_manifest", content), *after], form), pieces) == (True, content)
    assert fed(archive(before, form), pieces) == (False, b"")


def test_what_is_no_tar_stream_is_refused() -> None:
    with pytest.raises(tarfile.TarError):
        fed(b"no tar " * 200, 512)
