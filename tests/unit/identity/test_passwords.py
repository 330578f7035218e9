"""Which passwords are taken, and how they are kept."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leitstand.errors import InvalidInput
from leitstand.identity import passwords

GOOD = [
    "seven quiet herons",
    "correct horse battery staple",
    "Tr0ub4dor&3 is long",
    "x9#Kq2!mZ7pL",
    "münchner weißwurst",
    "密码很长很长很长很长很好",
]
BAD = [
    "",
    "short",
    "elevenchars",
    "password1234",
    "P4ssw0rd2026!",
    "passwordpassword",
    "qwertyuiop12",
    "123456789012",
    "abcdefghijkl",
    "aaaaaaaaaaaaaa",
    "abcabcabcabc",
    "leitstand2026",
    "olga.owner.2026",
    "Letmein!!!!!1",
    "20262026202600",
    "x" * 201,
]


@pytest.mark.parametrize("password", GOOD)
def test_a_good_password_is_taken(password: str) -> None:
    passwords.check_choice(password, email="olga@example.test", name="Olga Owner")


@pytest.mark.parametrize("password", BAD)
def test_one_of_the_first_that_would_be_tried_is_not(password: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        passwords.check_choice(password, email="olga@example.test", name="Olga Owner")
    assert not password or password not in refusal.value.message


def test_a_hash_is_argon2id_and_salted() -> None:
    first, second = passwords.hash_password(GOOD[0]), passwords.hash_password(GOOD[0])
    assert first.startswith("$argon2id$")
    assert first != second
    assert passwords.verify_password(first, GOOD[0])
    assert not passwords.verify_password(first, GOOD[1])
    assert not passwords.needs_rehash(first)


def test_the_same_letters_typed_otherwise_are_the_same_password() -> None:
    composed, decomposed = "caf\u00e9 au lait rouge", "cafe\u0301 au lait rouge"
    assert passwords.verify_password(passwords.hash_password(composed), decomposed)


@pytest.mark.parametrize("stored", [None, "", "nonsense", "$argon2id$broken"])
def test_nothing_matches_no_hash(stored: str | None) -> None:
    assert not passwords.verify_password(stored, "nobody has this password")


def test_a_weaker_hash_is_renewed() -> None:
    from argon2 import PasswordHasher

    assert passwords.needs_rehash(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("x"))


@settings(max_examples=10, deadline=None)
@given(st.text(max_size=400))
def test_any_text_can_be_checked_and_tried(text: str) -> None:
    assert not passwords.verify_password(None, text)
    try:
        passwords.check_choice(text)
    except InvalidInput as refusal:
        assert refusal.message
