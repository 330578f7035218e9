"""An image as it is named here: by its digest, so that the very thing that was tested is what runs."""

import re
from dataclasses import dataclass

from leitstand.errors import InvalidInput
from leitstand.words import N_, msg

# A repository with its host, in the letters that container engines take.
NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*(?::[0-9]{2,5})?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
LONGEST = 300


@dataclass(frozen=True)
class Image:
    """One image.

    Args:
        repository: its name, with the host that keeps it; empty: it is named by its id, and is on this machine alone.
        digest: sha256: and 64 digits.
    """

    repository: str
    digest: str

    def __str__(self) -> str:
        return f"{self.repository}@{self.digest}" if self.repository else self.digest

    @property
    def short(self) -> str:
        """As people tell it from others."""
        return self.digest.removeprefix("sha256:")[:12]


def image(text: str) -> Image:
    """Read `repository@sha256:…`, or `sha256:…`, the id of an image that was built on this machine.

    Raises:
        InvalidInput: it is named by a tag, which says something else tomorrow, or is no image.
    """
    if DIGEST.fullmatch(text):
        return Image("", text)
    name, _, digest = text.partition("@")
    if len(text) > LONGEST or not NAME.fullmatch(name) or not DIGEST.fullmatch(digest):
        raise InvalidInput(
            msg("{text} names no image by its digest.", text=text[:LONGEST]),
            hint=N_("Give it as name@sha256: with 64 digits, as the build prints it."),
        )
    return Image(name, digest)
