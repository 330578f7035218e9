"""Files that are small and unpack to something that nobody could hold: refused before anything unpacks them."""

import re

from leitstand.knowledge.parsing.outline import Unreadable

MOST_ENTRIES = 10_000
MOST_UNPACKED = 1_000_000_000
# Office files reach about 20; deflate itself ends at 1,032.
MOST_RATIO = 200
RATIO_FROM = 10_000_000
LOCAL_HEADER = b"PK\x03\x04"
NESTED = (".zip", ".docx", ".xlsx", ".pptx", ".jar", ".7z", ".rar", ".gz", ".bz2", ".xz", ".zst")
MOST_NESTED = 50
# An entity that is declared in the file itself is what every XML bomb is made of, and no document needs one.
ENTITY = re.compile(rb"<!\s*ENTITY\b", re.IGNORECASE)
XML_LIKE = re.compile(rb"\s*(<\?xml\b|<!DOCTYPE\b)", re.IGNORECASE)
WIDE = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def is_packed(data: bytes) -> bool:
    """Whether a file is a zip archive, as office files are."""
    return data.startswith(LOCAL_HEADER)


def refuse_bombs(data: bytes) -> None:
    """Refuse a file that unpacks to more than a document may; nothing of it is unpacked for that.

    Raises:
        Unreadable: it is an archive or an XML file of that kind.
    """
    if is_packed(data):
        _refuse_archive(data)
    elif _declares_entities(data):
        raise Unreadable(
            "It declares entities of its own, as files do that are made to exhaust their reader."
        )


def _refuse_archive(data: bytes) -> None:
    # Only here: what it loads would be taken from the memory of the reader of every other kind.
    import io
    import zipfile

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        return
    unpacked = sum(entry.file_size for entry in entries)
    nested = sum(entry.filename.lower().endswith(NESTED) for entry in entries)
    starts = {entry.header_offset for entry in entries}
    too_dense = unpacked > RATIO_FROM and unpacked > MOST_RATIO * len(data)
    # Entries that share their content unpack to more than the archive tells.
    if (
        len(entries) > MOST_ENTRIES
        or unpacked > MOST_UNPACKED
        or too_dense
        or nested > MOST_NESTED
        or len(starts) < len(entries)
    ):
        raise Unreadable("It is packed in a way that is made to exhaust whoever unpacks it.")


def _declares_entities(data: bytes) -> bool:
    encoding = WIDE.get(data[:2])
    text = data.decode(encoding, "replace").encode() if encoding else data.removeprefix(b"\xef\xbb\xbf")
    return bool(XML_LIKE.match(text) and ENTITY.search(text))
