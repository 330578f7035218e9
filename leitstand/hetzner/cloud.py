"""Hetzner's Cloud API through its own client: one project, what is in it, and errors with their way out."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from hcloud import APIException, Client, exponential_backoff_function
from hcloud.actions import ActionException, BoundAction
from pydantic import SecretStr
from requests.exceptions import RequestException

from leitstand.errors import Conflict, Forbidden, LeitstandError, PreconditionFailed, Unavailable
from leitstand.words import N_, msg

LABEL = "leitstand-environment"
REQUEST_SECONDS = 30.0
ATTEMPTS = 6
# After these nothing is known of what was done, or it may go another time: look again, then go on.
PASSING = frozenset(
    {
        500,
        502,
        503,
        504,
        "server_error",
        "service_error",
        "unavailable",
        "maintenance",
        "timeout",
        "bad_gateway",
    }
    | {"locked", "conflict", "uniqueness_error", "rate_limit_exceeded"}
)
KINDS = (
    "ssh_keys",
    "networks",
    "placement_groups",
    "firewalls",
    "primary_ips",
    "volumes",
    "servers",
    "zones",
)
WITH_ACTIONS = ("networks", "firewalls", "primary_ips", "volumes", "servers", "zones")


GOES_ON = N_("Run the same command again; it goes on.")
NEW_ONE = N_("Make a token in the console of that project, to read and write.")
NO_ROOM = N_("Try again later, or describe another type or location.")
REFUSALS: dict[int | str, tuple[type[LeitstandError], str]] = {
    "unauthorized": (PreconditionFailed, NEW_ONE),
    401: (PreconditionFailed, NEW_ONE),
    "forbidden": (Forbidden, ""),
    "token_readonly": (Forbidden, NEW_ONE),
    "resource_limit_exceeded": (
        Conflict,
        N_("Ask for a higher one in the console (Limits), then run the same command again."),
    ),
    "resource_unavailable": (Conflict, NO_ROOM),
    "placement_error": (Conflict, NO_ROOM),
}


class Cloud:
    """One project. What was read is kept until `forget`; `pause_seconds` is the first pause between two looks.

    Every method raises `PreconditionFailed` (the token), `Forbidden`, `Conflict` (a limit, or no room),
    `Unavailable` (no answer after retries).
    """

    def __init__(self, token: SecretStr, endpoint: str, *, pause_seconds: float = 1.0) -> None:
        self.pause_seconds = pause_seconds
        self.client = Client(
            token.get_secret_value(),
            api_endpoint=endpoint.rstrip("/"),
            application_name="leitstand",
            poll_interval=exponential_backoff_function(base=pause_seconds, multiplier=2, cap=10.0),
            poll_max_retries=180,
            timeout=REQUEST_SECONDS,
        )
        self._seen: dict[str, dict[str, Any]] = {}

    def all(self, kind: str) -> dict[str, Any]:
        """Everything of a kind in the project, by name."""
        if kind not in self._seen:
            self._seen[kind] = {
                each.name: each for each in self.patiently(getattr(self.client, kind).get_all)
            }
        return self._seen[kind]

    def record_sets(self, zone: Any) -> dict[str, Any]:
        """The sets of records of a zone, by name and type: "www CNAME"."""
        key = f"records of {zone.name}"
        if key not in self._seen:
            found = self.patiently(zone.get_rrset_all)
            self._seen[key] = {f"{each.name} {each.type}": each for each in found}
        return self._seen[key]

    def forget(self) -> None:
        """Read everything anew from now on."""
        self._seen.clear()

    def patiently[T](self, work: Callable[[], T]) -> T:
        """Do `work`, which looks before it acts, again after what passes.

        Raises:
            LeitstandError: as the class says.
        """
        for number in range(1, ATTEMPTS + 1):
            try:
                return work()
            except (APIException, ActionException, RequestException) as error:
                if number == ATTEMPTS or not passes(error):
                    raise said(error) from error
            self.forget()
            time.sleep(min(30.0, self.pause_seconds * 2 ** (number - 1)))
        raise AssertionError

    def wait(self, *actions: BoundAction | None) -> None:
        """Wait until what was asked for has happened."""
        for action in actions:
            if action is not None:
                action.wait_until_finished()

    def settle(self) -> None:
        """Wait for what an earlier, ended command has begun."""
        for kind in WITH_ACTIONS:
            running = partial(getattr(self.client, kind).actions.get_all, status=["running"])
            for action in self.patiently(running):
                self._until_ended(action)

    def _until_ended(self, action: BoundAction) -> None:
        """Its failure is no failure of this command: what it was for is looked at next."""
        try:
            self.wait(action)
        except ActionException as error:
            if action.status == "running":
                raise said(error) from error


def passes(error: Exception) -> bool:
    """Whether another look, and another try, may go better."""
    if isinstance(error, APIException):
        return error.code in PASSING
    if isinstance(error, ActionException):
        return _failure(error).get("code") in PASSING | {"action_failed"}
    return isinstance(error, RequestException)


def _failure(error: ActionException) -> dict[str, Any]:
    """Why an action ended, as the API says it."""
    return dict(error.action.error or {})


def said(error: Exception) -> LeitstandError:
    """What Hetzner answered as an error of ours; never the request, which has the token."""
    if isinstance(error, ActionException):
        reason = _failure(error).get("message", "")
        return Unavailable(
            msg("Hetzner did not finish {what}: {reason}", what=error.action.command, reason=reason)
        )
    if not isinstance(error, APIException):
        return Unavailable("Hetzner's API does not answer.", hint=GOES_ON)
    refusal, hint = REFUSALS.get(error.code, (None, ""))
    if refusal is not None:
        return refusal(msg("Hetzner refused: {reason}", reason=error.message), hint=hint)
    if error.code in PASSING:
        return Unavailable(msg("Hetzner's API did not do it: {reason}", reason=error.message), hint=GOES_ON)
    return Conflict(msg("Hetzner refused: {reason}", reason=error.message))
