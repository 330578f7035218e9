"""The few questions that we ask Prefect's server over HTTP, without importing Prefect."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from leitstand.errors import InvalidInput, LeitstandError, NotFound, Unavailable
from leitstand.jobs.prefect_environment import WORK_POOL, api_url, credentials
from leitstand.settings import Settings
from leitstand.telemetry.context import current
from leitstand.words import msg

if TYPE_CHECKING:
    import httpx

LIMIT_SECONDS = 5.0
REQUEST_TAG = "request:"
TRACE_TAG = "trace:"
FIRST_ERROR = 400
MISSING, REFUSED = 404, {409, 422}
BEGUN = ("PENDING", "RUNNING", "CANCELLING")
FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
AUTHORIZATION = {401, 403}
CANCEL_TRIES = 3


@dataclass(frozen=True)
class DeploymentState:
    """One deployed flow: its schedule and its last and next run (times in UTC; None where there is none)."""

    id: str
    name: str
    flow: str
    description: str
    cron: str
    zone: str
    next_run: datetime | None
    last_run: datetime | None
    last_state: str

    def to_dict(self) -> dict[str, object]:
        """JSON values; times as ISO 8601."""
        return {
            key: value.isoformat() if isinstance(value, datetime) else value
            for key, value in asdict(self).items()
        }


@dataclass(frozen=True)
class RunState:
    """Where a run stands, and whether it stays there."""

    name: str
    final: bool


class PrefectApi:
    """Prefect's API of one environment. Every method raises `Unavailable` when the server does not answer."""

    def __init__(self, settings: Settings, *, timeout: float = LIMIT_SECONDS) -> None:
        self.url = api_url(settings)
        self.credentials = credentials(settings)
        self.timeout = timeout

    @cached_property
    def client(self) -> "httpx.Client":
        """Kept for the next question: a client is dear to make."""
        import httpx

        return httpx.Client(auth=self.credentials, timeout=self.timeout, trust_env=False)

    def healthy(self) -> bool:
        """Whether the server answers that it is well."""
        try:
            return self._ask("GET", "/health") is True
        except LeitstandError:
            return False

    def digests(self) -> dict[str, tuple[str, str]]:
        """Id and digest (what it was made from) of every deployed flow, by name."""
        found = self._ask("POST", "/deployments/filter", {})
        return {
            deployment["name"]: (deployment["id"], deployment.get("version") or "") for deployment in found
        }

    def deployments(self) -> list[DeploymentState]:
        """Every deployed flow, by name."""
        found = self._ask("POST", "/deployments/filter", {"sort": "NAME_ASC"})
        flows = {flow["id"]: flow["name"] for flow in self._ask("POST", "/flows/filter", {})}
        return [self._state(deployment, flows.get(deployment["flow_id"], "")) for deployment in found]

    def _state(self, deployment: Mapping[str, Any], flow: str) -> DeploymentState:
        schedule: Mapping[str, Any] = next(
            (entry["schedule"] for entry in deployment.get("schedules", []) if entry.get("active")), {}
        )
        last = self._runs(
            deployment["id"],
            [*FINAL, "RUNNING", "PENDING"],
            "START_TIME_DESC",
        )
        coming = self._runs(deployment["id"], ["SCHEDULED"], "EXPECTED_START_TIME_ASC")
        return DeploymentState(
            id=deployment["id"],
            name=deployment["name"],
            flow=flow,
            description=deployment.get("description") or "",
            cron=schedule.get("cron", ""),
            zone=schedule.get("timezone") or "",
            next_run=_time(coming[0]["expected_start_time"]) if coming else None,
            last_run=_time(last[0]["start_time"] or last[0]["expected_start_time"]) if last else None,
            last_state=last[0]["state_name"] if last else "",
        )

    def _runs(self, deployment_id: str, states: list[str], sort: str) -> list[dict[str, Any]]:
        question = {
            "deployments": {"id": {"any_": [deployment_id]}},
            "flow_runs": {"state": {"type": {"any_": states}}},
            "sort": sort,
            "limit": 1,
        }
        answer: list[dict[str, Any]] = self._ask("POST", "/flow_runs/filter", question)
        return answer

    def start(self, name: str, parameters: Mapping[str, object] | None = None) -> str:
        """Start a deployed flow now and give the id of its run; the request id of this work goes with it.

        Raises:
            NotFound: there is no such deployment.
            InvalidInput: the flow does not take these parameters.
        """
        known = self.digests()
        if name not in known:
            raise NotFound(
                msg("There is no flow {name!r}.", name=name),
                hint=msg("Deployed: {known}.", known=", ".join(sorted(known)) or "none yet"),
            )
        identity = current()
        tags = [
            prefix + identity[key]
            for prefix, key in ((REQUEST_TAG, "request_id"), (TRACE_TAG, "traceparent"))
            if identity[key]
        ]
        body = {"parameters": dict(parameters or {}), "tags": tags}
        answer = self._ask("POST", f"/deployments/{known[name][0]}/create_flow_run", body)
        return str(answer["id"])

    def state_of(self, flow_run: str) -> RunState:
        """Where a run stands.

        Raises:
            NotFound: there is no such run.
        """
        run = self._ask("GET", f"/flow_runs/{flow_run}")
        return RunState(run["state_name"], run["state_type"] in FINAL)

    def crash_unfinished(self, before: datetime) -> int:
        """Mark every run that began before and has not ended as crashed, and give how many.

        Args:
            before: an instant since when only what runs now can have begun a run.
        """
        question = {"flow_runs": {"state": {"type": {"any_": list(BEGUN)}}}, "limit": 200}
        runs = self._ask("POST", "/flow_runs/filter", question)
        state = {"type": "CRASHED", "message": "The environment ended while this run was going on."}
        left = [run["id"] for run in runs if _time(run["state"]["timestamp"]) < before]
        for identity in left:
            self._ask("POST", f"/flow_runs/{identity}/set_state", {"state": state, "force": True})
        return len(left)

    def cancel_superseded(self, now: datetime) -> int:
        """Cancel the scheduled runs that are due and have a newer due one of their schedule; give how many.

        After a day without Prefect every instant of that day waits to be run, each in a process of its own. Prefect's
        own service may mark a run as late in the moment in which it is cancelled, and so bring it back: they are
        asked for until there are none, or a few came back again and again, and those end as skipped.
        """
        cancelled: Counter[str] = Counter()
        while stale := [one for one in self._superseded(now) if cancelled[one] < CANCEL_TRIES]:
            state = {"type": "CANCELLED", "message": "A later instant of this schedule is due already."}
            for identity in stale:
                self._ask("POST", f"/flow_runs/{identity}/set_state", {"state": state, "force": True})
            cancelled.update(stale)
        return len(cancelled)

    def _superseded(self, now: datetime) -> list[str]:
        question = {
            "flow_runs": {
                "state": {"type": {"any_": ["SCHEDULED"]}},
                "expected_start_time": {"before_": now.isoformat()},
            },
            "sort": "EXPECTED_START_TIME_DESC",
            "limit": 200,
        }
        newest: set[str] = set()
        stale = []
        for run in self._ask("POST", "/flow_runs/filter", question):
            if not run.get("auto_scheduled") or not run.get("deployment_id"):
                continue
            if run["deployment_id"] in newest:
                stale.append(run["id"])
            newest.add(run["deployment_id"])
        return stale

    def waiting_seconds(self, now: datetime) -> dict[str, float]:
        """For how long the oldest run is late (nobody takes it), pending (its process does not begin) or cancelling; 0 where none is."""
        ages = {"late": 0.0, "pending": 0.0, "cancelling": 0.0}
        question: dict[str, Any] = {
            "flow_runs": {"state": {"type": {"any_": ["PENDING", "CANCELLING"]}}},
            "limit": 200,
        }
        for run in self._ask("POST", "/flow_runs/filter", question):
            age = (now - _time(run["state"]["timestamp"])).total_seconds()
            state = run["state"]["type"].lower()
            ages[state] = max(ages[state], age)
        due = {"type": {"any_": ["SCHEDULED"]}}, {"before_": now.isoformat()}
        question = {
            "flow_runs": {"state": due[0], "expected_start_time": due[1]},
            "sort": "EXPECTED_START_TIME_ASC",
            "limit": 1,
        }
        for run in self._ask("POST", "/flow_runs/filter", question):
            ages["late"] = max(0.0, (now - _time(run["expected_start_time"])).total_seconds())
        return ages

    def pause_pool(self) -> None:
        """Have our work pool start no run any more, whatever is scheduled.

        Raises:
            NotFound: there is none yet.
        """
        self._ask("PATCH", f"/work_pools/{WORK_POOL}", {"is_paused": True})

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        import httpx

        try:
            answer = self.client.request(method, self.url + path, json=body)
        except httpx.HTTPError as error:
            raise Unavailable(
                "Prefect does not answer.", hint="See leitstand health, and the log of the service prefect."
            ) from error
        if answer.status_code in REFUSED:
            raise InvalidInput(msg("Prefect refuses this: {text}", text=_detail(answer.text)))
        if answer.status_code == MISSING:
            raise NotFound("Prefect knows no such thing.")
        if answer.status_code in AUTHORIZATION:
            raise Unavailable(
                "Prefect refuses our password.",
                hint="The secret leitstand_prefect_password differs from the server's; restart the service prefect.",
            )
        if answer.status_code >= FIRST_ERROR:
            raise Unavailable(
                msg("Prefect answers {status_code} to {path}.", status_code=answer.status_code, path=path)
            )
        return answer.json() if answer.content else None


def _detail(body: str) -> str:
    return body[:300]


def _time(value: str) -> datetime:
    return datetime.fromisoformat(value)
