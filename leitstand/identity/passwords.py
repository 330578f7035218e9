"""Passwords: argon2id hashes, and a sanity check of what people choose."""

import re
import unicodedata
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from leitstand.errors import InvalidInput
from leitstand.words import msg

MIN_LENGTH = 12
MAX_LENGTH = 200
MIN_DISTINCT = 5
MIN_OWN_LETTERS = 4

# With twelve characters the common passwords are these words with something counted or repeated around them.
COMMON_WORDS = frozenset(
    [
        "abc",
        "access",
        "admin",
        "administrator",
        "asdf",
        "asdfgh",
        "asdfghjkl",
        "baseball",
        "changeme",
        "changeit",
        "computer",
        "default",
        "demo",
        "dragon",
        "football",
        "guest",
        "hello",
        "hunter",
        "iloveyou",
        "internet",
        "leitstand",
        "letmein",
        "login",
        "master",
        "michael",
        "monkey",
        "mypassword",
        "nopassword",
        "owner",
        "pass",
        "passphrase",
        "passwd",
        "password",
        "passwort",
        "princess",
        "qazwsx",
        "qwer",
        "qwert",
        "qwerty",
        "qwertyuiop",
        "qwertz",
        "qwertzuiop",
        "root",
        "secret",
        "shadow",
        "starwars",
        "summer",
        "sunshine",
        "superman",
        "system",
        "temp",
        "test",
        "trustno",
        "user",
        "welcome",
        "whatever",
        "willkommen",
        "winter",
        "zxcvbnm",
    ]
)
SEQUENCES = (
    "01234567890123456789",
    "98765432109876543210",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
)
LEET = str.maketrans("013457@$!", "oieastasi")


@lru_cache(maxsize=1)
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@lru_cache(maxsize=1)
def _decoy() -> str:
    """The hash that is verified where there is no person, so that both answers take the same time."""
    return _hasher().hash("nobody has this password")


def hash_password(password: str) -> str:
    """The argon2id hash of a password, with its parameters and salt in it."""
    return _hasher().hash(_bytes(password))


def verify_password(stored: str | None, password: str) -> bool:
    """Whether `password` is the one that was hashed; takes as long when there is none stored."""
    decoy = _decoy()
    try:
        matches = _hasher().verify(stored or decoy, _bytes(password))
    except (VerificationError, InvalidHashError):
        return False
    return matches and bool(stored)


def needs_rehash(stored: str) -> bool:
    """Whether a stored hash was made with weaker parameters than today's."""
    return _hasher().check_needs_rehash(stored)


def check_choice(password: str, *, email: str = "", name: str = "") -> None:
    """Refuse a password that is too short, too long, or among the first that anybody would try.

    Raises:
        InvalidInput: with what is wrong with it; the password itself is never repeated.
    """
    if len(password) < MIN_LENGTH:
        raise InvalidInput(
            msg("The password needs at least {least} characters.", least=MIN_LENGTH),
            hint="Several unrelated words make a good one.",
        )
    if len(password) > MAX_LENGTH:
        raise InvalidInput(msg("The password may have at most {most} characters.", most=MAX_LENGTH))
    if _is_guessable(password, email=email, name=name):
        raise InvalidInput(
            "This password is one of the first that would be tried.",
            hint="Choose several unrelated words, or let a password manager make one.",
        )


def _is_guessable(password: str, *, email: str, name: str) -> bool:
    plain = _normal(password).lower()
    if len(set(plain)) < MIN_DISTINCT or any(plain[:MIN_LENGTH] in sequence for sequence in SEQUENCES):
        return True
    own = {part for part in re.split(r"[\W\d_]+", f"{email} {name}".lower()) if len(part) > 2}
    return any(_letters_beyond(reading, own) < MIN_OWN_LETTERS for reading in (plain, plain.translate(LEET)))


def _letters_beyond(text: str, own: set[str]) -> int:
    """How many letters stand in no common word and in no word of the person's own."""
    words = re.findall(r"[^\W\d_]+", text)
    return sum(len(word) for word in words if not (word in COMMON_WORDS or word in own or _repeats(word)))


def _repeats(word: str) -> bool:
    """Whether a word is a common one written twice or more, or one piece over and over."""
    for size in range(1, len(word) // 2 + 1):
        if len(word) % size == 0 and word == word[:size] * (len(word) // size):
            return True
    return any(word.startswith(start) and word[len(start) :] in COMMON_WORDS for start in COMMON_WORDS)


def _normal(password: str) -> str:
    """One form of a text that keyboards write in several (NIST SP 800-63B, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def _bytes(password: str) -> bytes:
    """What is hashed; whatever is longer than a password may be can't match and costs no more for its length."""
    return _normal(password[: MAX_LENGTH + 1]).encode("utf-8", "surrogatepass")
