"""Files of objects that this machine has read."""

import os
from pathlib import Path

from leitstand.storage.nearby import make_room


def test_the_files_used_longest_ago_go_first(tmp_path: Path) -> None:
    for place, name in enumerate("abc"):
        path = tmp_path / f"{name}.parquet"
        path.write_bytes(b"x" * 10)
        os.utime(path, ns=(place, place))
    make_room(tmp_path, 20)
    assert {path.stem for path in tmp_path.iterdir()} == {"b", "c"}
