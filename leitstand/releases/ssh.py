"""The commands that a key may have over SSH: what the client asked for is read, and is one of these, or nothing is done.

The key's line on the server is `restrict,command="leitstand release ssh" ssh-ed25519 …`; no shell reads what the client
sends, and what is no command of this list never reaches a program.
"""

import re
import shlex

from leitstand.errors import Forbidden
from leitstand.releases.images import image
from leitstand.words import N_, msg

LONGEST = 4_000
# What no argument of these commands has; a line of them is refused before it is taken apart.
PLAIN = re.compile(r"[A-Za-z0-9 @:/._=+,'\"-]*")
PASS = re.compile(r"[A-Za-z0-9_-]{1,3000}\.[A-Za-z0-9_-]{1,200}")
BY = re.compile(r"[\w][\w .@/-]{0,79}")
VALUES = {"--pass": PASS, "--by": BY, "--accept": re.compile(r"[a-z-]{1,40}")}
# Word after `release` -> its arguments (`IMAGE`, or one of several words) and the options that it may have.
COMMANDS: dict[str, tuple[tuple[str, ...], frozenset[str]]] = {
    "start": (("IMAGE",), frozenset({"--pass", "--by"})),
    "plan": (("IMAGE",), frozenset({"--pass", "--json"})),
    "rehearse": (("IMAGE",), frozenset({"--pass", "--json"})),
    "promote-check": (("IMAGE",), frozenset({"--pass", "--json"})),
    "resume": ((), frozenset({"--by"})),
    "rollback": ((), frozenset({"--by"})),
    "status": ((), frozenset({"--json"})),
    "history": ((), frozenset({"--json"})),
    "maintenance": (("on|off",), frozenset()),
}


def allowed(original: str) -> list[str]:
    """The arguments of `leitstand release` that a client asked for.

    Args:
        original: SSH_ORIGINAL_COMMAND; it may begin with `leitstand`.

    Raises:
        Forbidden: it is none of the list.
        InvalidInput: an image is not named by its digest.
    """
    words = _words(original)
    command, *rest = words
    known = COMMANDS.get(command)
    if known is None:
        raise _forbidden(command)
    wanted, options = known
    given, place = [], 0
    while place < len(rest):
        word = rest[place]
        if word.startswith("-"):
            place += _option(word, rest[place + 1 :], options)
        else:
            given.append(word)
        place += 1
    _arguments(command, given, wanted)
    return words


def _words(original: str) -> list[str]:
    if len(original) > LONGEST or not PLAIN.fullmatch(original):
        raise Forbidden(
            N_("This command has letters that none of the list has."),
            hint=N_("`release status` is one of the list."),
        )
    try:
        words = shlex.split(original)
    except ValueError as error:
        raise _forbidden(original[:40]) from error
    if words[:1] == ["leitstand"]:
        words = words[1:]
    if words[:1] != ["release"] or len(words) < 2:
        raise _forbidden(" ".join(words[:2]))
    return words[1:]


def _option(word: str, following: list[str], options: frozenset[str]) -> int:
    """How many words after an option are its value."""
    if word not in options:
        raise _forbidden(word)
    if word not in VALUES:
        return 0
    if not following or not VALUES[word].fullmatch(following[0]):
        raise _forbidden(word)
    return 1


def _arguments(command: str, given: list[str], wanted: tuple[str, ...]) -> None:
    if len(given) != len(wanted):
        raise _forbidden(command)
    for value, kind in zip(given, wanted, strict=True):
        if kind == "IMAGE":
            image(value)
        elif value not in kind.split("|"):
            raise _forbidden(value)


def _forbidden(what: str) -> Forbidden:
    return Forbidden(
        msg("This key may not do this: {what}.", what=what or "a shell"),
        hint=msg("It may: {commands}.", commands=", ".join(f"release {name}" for name in COMMANDS)),
    )
