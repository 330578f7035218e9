"""One-time codes: set up, asked for, taken once, and recovered from. The clock is the tests' own."""

from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.db.models import OneTimeCode, Person, RecoveryCode, Workspace
from leitstand.errors import Conflict, Forbidden, InvalidInput, NotFound, TooManyRequests
from leitstand.identity import one_time_codes, second_step, sessions, steps
from leitstand.identity.access import ROLES, Principal
from leitstand.identity.sealed import seal_again
from leitstand.identity.sessions import CodeNeeded, SignedIn
from leitstand.settings import Settings
from tests.people import PASSWORD, join

EMAIL = "olga@example.test"
START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HALF_MINUTE = timedelta(seconds=30)


@pytest.fixture
def person(session: Session, workspace: Workspace) -> Person:
    return join(session, workspace, email=EMAIL)


@pytest.fixture
def principal(person: Person, workspace: Workspace) -> Principal:
    return Principal(person.id, workspace.id, person.name, person.email, "owner", ROLES["owner"])


@pytest.fixture
def on(session: Session, principal: Principal) -> tuple[pyotp.TOTP, list[str]]:
    """Turned on: the generator and the recovery codes."""
    one_time_codes.set_up(session, principal=principal, password=PASSWORD)
    generator = pyotp.TOTP(one_time_codes.secret_to_confirm(session, principal=principal))
    codes = one_time_codes.confirm(session, principal=principal, code=generator.at(START), now=START)
    session.commit()
    return generator, codes


def first_step(session: Session) -> str:
    with pytest.raises(CodeNeeded) as needed:
        sessions.sign_in(session, email=EMAIL, password=PASSWORD, address="a", user_agent="x")
    token = second_step.ask(session, needed.value, by="password", back="/companions")
    session.commit()
    return token


def enter(
    session: Session, token: str | None, code: str, *, now: datetime, address: str = "a"
) -> tuple[SignedIn, str]:
    return second_step.finish(session, token=token, code=code, address=address, user_agent="x", now=now)


def soon() -> datetime:
    return datetime.now(UTC)


def test_the_secret_is_sealed_and_shown_until_it_is_confirmed(session: Session, principal: Principal) -> None:
    with pytest.raises(InvalidInput, match="current password"):
        one_time_codes.set_up(session, principal=principal, password="wrong one here")
    one_time_codes.set_up(session, principal=principal, password=PASSWORD)
    secret = one_time_codes.secret_to_confirm(session, principal=principal)
    assert secret.encode() not in session.scalars(select(OneTimeCode.secret)).one()
    assert f"secret={secret}" in one_time_codes.address_to_scan(secret, email=EMAIL)
    assert not one_time_codes.status(session, principal=principal).on
    assert not sessions.uses_codes(session, principal.person_id)  # type: ignore[arg-type]
    for wrong in ("000000", "", "abcdef", "１２３４５６"):
        with pytest.raises(InvalidInput):
            one_time_codes.confirm(session, principal=principal, code=wrong, now=START)
    codes = one_time_codes.confirm(session, principal=principal, code=pyotp.TOTP(secret).at(START), now=START)
    assert len(set(codes)) == 10
    with pytest.raises(NotFound):
        one_time_codes.secret_to_confirm(session, principal=principal)
    with pytest.raises(Conflict):
        one_time_codes.set_up(session, principal=principal, password=PASSWORD)


def test_a_password_alone_opens_nothing(session: Session, on: tuple[pyotp.TOTP, list[str]]) -> None:
    generator, _ = on
    token, now = first_step(session), soon()
    assert sessions.authenticate(session, token) is None
    with pytest.raises(steps.StepExpired):
        enter(session, None, generator.at(now), now=now)
    signed_in, back = enter(session, token, generator.at(now), now=now)
    assert (signed_in.principal.email, back) == (EMAIL, "/companions")
    with pytest.raises(steps.StepExpired):
        enter(session, token, generator.at(now + HALF_MINUTE), now=now)


def test_a_code_is_taken_once_and_neither_is_an_older_one(
    session: Session, on: tuple[pyotp.TOTP, list[str]]
) -> None:
    generator, _ = on
    now = soon()
    enter(session, first_step(session), generator.at(now), now=now)
    token = first_step(session)
    for code in (generator.at(now), generator.at(now - HALF_MINUTE)):
        with pytest.raises(InvalidInput):
            enter(session, token, code, now=now)
    enter(session, token, generator.at(now + HALF_MINUTE), now=now)


@pytest.mark.parametrize(("late", "taken"), [(-2, False), (-1, True), (1, True), (2, False)])
def test_a_clock_may_be_half_a_minute_wrong(
    session: Session, on: tuple[pyotp.TOTP, list[str]], late: int, taken: bool
) -> None:
    now, token = soon(), first_step(session)
    code = on[0].at(now + late * HALF_MINUTE)
    if taken:
        assert enter(session, token, code, now=now)
    else:
        with pytest.raises(InvalidInput):
            enter(session, token, code, now=now)


def test_a_step_holds_for_minutes(session: Session, on: tuple[pyotp.TOTP, list[str]]) -> None:
    later = soon() + steps.LIFETIME + timedelta(seconds=1)
    with pytest.raises(steps.StepExpired):
        enter(session, first_step(session), on[0].at(later), now=later)


def test_guessing_is_slowed_even_with_the_password_at_hand(
    session: Session, on: tuple[pyotp.TOTP, list[str]], settings: Settings
) -> None:
    now = soon()
    for number in range(settings.sign_in_attempts):
        token = first_step(session)
        with pytest.raises(InvalidInput):
            enter(session, token, "000000" if number % 2 else "nonsense", now=now, address=f"a{number}")
        session.commit()
    with pytest.raises(TooManyRequests):
        first_step(session)
    session.rollback()
    with pytest.raises(TooManyRequests):
        enter(session, token, on[0].at(now), now=now, address="b")


def test_a_recovery_code_signs_in_once(
    session: Session, principal: Principal, on: tuple[pyotp.TOTP, list[str]]
) -> None:
    _, codes = on
    now = soon()
    enter(session, first_step(session), codes[0].upper().replace("-", " "), now=now)
    token = first_step(session)
    with pytest.raises(InvalidInput):
        enter(session, token, codes[0], now=now)
    session.commit()
    assert one_time_codes.status(session, principal=principal).recovery_codes == 9
    kept = session.scalars(select(RecoveryCode.code_hash)).all()
    assert all(len(one) == 32 for one in kept) and not any(code.encode() in b"".join(kept) for code in codes)
    renewed = one_time_codes.renew_recovery_codes(session, principal=principal, password=PASSWORD)
    with pytest.raises(InvalidInput):
        enter(session, token, codes[1], now=now)
    assert enter(session, token, renewed[0], now=now)


def test_turning_it_off_needs_the_password(
    session: Session, principal: Principal, on: tuple[pyotp.TOTP, list[str]]
) -> None:
    with pytest.raises(InvalidInput):
        one_time_codes.turn_off(session, principal=principal, password="wrong one here")
    one_time_codes.turn_off(session, principal=principal, password=PASSWORD)
    assert one_time_codes.status(session, principal=principal) == one_time_codes.Status(None, 0)
    assert sessions.sign_in(session, email=EMAIL, password=PASSWORD, address="", user_agent="")


def test_who_has_no_password_changes_it_elsewhere(
    session: Session, person: Person, principal: Principal
) -> None:
    person.password_hash = None
    with pytest.raises(Forbidden, match="no password"):
        one_time_codes.set_up(session, principal=principal, password="")


def test_a_rotated_key_seals_everything_again(
    session: Session, on: tuple[pyotp.TOTP, list[str]], settings: Settings, principal: Principal
) -> None:
    old = settings.secrets_key.get_secret_value()
    rotated = settings.model_copy(
        update={"secrets_key": SecretStr("another key"), "secrets_key_previous": SecretStr(old)}
    )
    before = session.scalars(select(OneTimeCode.secret)).one()
    assert (seal_again(session, rotated), seal_again(session, rotated)) == (1, 0)
    assert session.scalars(select(OneTimeCode.secret)).one() != before
