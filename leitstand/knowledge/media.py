"""Which kinds of files can be read, by media type and by name."""

from pathlib import PurePath

from leitstand.words import N_, Message, joined, msg, said

# Media type -> what people call it. The reader of each is in `parsing.readers`.
READABLE = {
    "application/pdf": "PDF",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "Word",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "PowerPoint",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "Excel",
    "message/rfc822": N_("e-mail"),
    "text/markdown": "Markdown",
    "text/html": "HTML",
    "application/xhtml+xml": "HTML",
    "text/csv": "CSV",
    "text/plain": N_("plain text"),
}
NOT_YET = {
    "application/msword": N_("Older Word"),
    "application/vnd.ms-powerpoint": N_("Older PowerPoint"),
    "application/vnd.ms-excel": N_("Older Excel"),
    "application/json": "JSON",
    "application/xml": "XML",
}
BINARY = "application/octet-stream"
SUFFIXES = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".mdx": "text/markdown",
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "application/xhtml+xml",
    ".csv": "text/csv",
    ".txt": "text/plain",
    ".text": "text/plain",
    ".rst": "text/plain",
    ".pdf": "application/pdf",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".eml": "message/rfc822",
    ".doc": "application/msword",
    ".ppt": "application/vnd.ms-powerpoint",
    ".xls": "application/vnd.ms-excel",
    ".json": "application/json",
    ".xml": "application/xml",
}


def media_type_of(name: str, declared: str = "") -> str:
    """The media type of a file: what was declared (without parameters) unless that says nothing, else by its name."""
    declared = declared.partition(";")[0].strip().lower()
    if declared in READABLE and declared != "text/plain":
        return declared
    by_name = SUFFIXES.get(PurePath(name).suffix.lower(), "")
    return by_name or (declared if "/" in declared else BINARY)


def why_not(media_type: str) -> str:
    """Why a file of this type has no reader, in words for whoever uploaded it; empty when it has one."""
    if media_type in READABLE:
        return ""
    if kind := NOT_YET.get(media_type):
        return msg("{kind} files can't be read yet; {kinds} can.", kind=kind, kinds=readable_kinds())
    return msg("Files of this kind can't be read yet; {kinds} can.", kinds=readable_kinds())


def readable_kinds() -> Message:
    """The kinds that can be read, as people read it."""
    kinds = list(dict.fromkeys(READABLE.values()))
    return msg("{kinds} and {last}", kinds=joined(*kinds[:-1], between=", "), last=said(kinds[-1]))
