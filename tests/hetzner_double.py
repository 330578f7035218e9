"""Hetzner's documented Cloud API as far as we use it, on 127.0.0.1, for Hetzner's own client."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from tests import hetzner_things as things
from tests.services import free_base_port

TOKEN = "double-token-of-the-project"
ONE = {
    "ssh_keys": "ssh_key",
    "networks": "network",
    "placement_groups": "placement_group",
    "firewalls": "firewall",
    "primary_ips": "primary_ip",
    "volumes": "volume",
    "servers": "server",
    "zones": "zone",
}
NEEDED = {
    "ssh_keys": {"name", "public_key"},
    "networks": {"name", "ip_range"},
    "placement_groups": {"name", "type"},
    "firewalls": {"name"},
    "primary_ips": {"name", "type", "location"},
    "volumes": {"name", "size", "location"},
    "servers": {"name", "server_type", "image", "location"},
    "zones": {"name", "mode"},
}
STATUS = {
    "unauthorized": 401,
    "protected": 403,
    "resource_limit_exceeded": 403,
    "not_found": 404,
    "uniqueness_error": 409,
    "conflict": 409,
    "resource_unavailable": 422,
    "invalid_input": 422,
    "locked": 423,
    "rate_limit_exceeded": 429,
    "server_error": 500,
    "unavailable": 503,
    "timeout": 504,
}


class Refusal(Exception):
    """What the double refuses: the API's code and a reason."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message)
        self.code, self.message = code, message or code


class Double:
    """One project. `failures` are codes that it answers first, `lost` codes that it answers after having done the work.

    `polls` says how often an action is still running when it is asked for; `failing` commands end in an error once.
    `after` is called with each change when it is done, before it is answered.
    """

    def __init__(self) -> None:
        self.kept: dict[str, dict[int, dict[str, Any]]] = {kind: {} for kind in ONE}
        self.sets: dict[int, dict[str, dict[str, Any]]] = {}
        self.actions: dict[int, dict[str, Any]] = {}
        self.left: dict[int, int] = {}
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.failures: list[str] = []
        self.lost: list[str] = []
        self.failing: list[str] = []
        self.after: Callable[[str, str], None] = lambda method, path: None
        self.polls, self.per_page, self.number = 0, 50, 0
        self.url = ""

    def changes(self) -> list[str]:
        """What was asked for that changes something, in its order."""
        return [f"{method} {path}" for method, path, _ in self.calls if method != "GET"]

    def named(self, kind: str, name: str) -> dict[str, Any]:
        """The thing of that name."""
        return next(each for each in self.kept[kind].values() if each["name"] == name)

    def new(self, kind: str, **body: Any) -> dict[str, Any]:
        """A thing that is there already, as if made in the console."""
        made = self._make(kind, body)[ONE[kind]]
        assert isinstance(made, dict)
        return made

    # --- requests ---

    def answer(self, method: str, parts: list[str], body: dict[str, Any], query: dict[str, str]) -> Any:
        """The document of an authorised call."""
        match (method, *parts):
            case ("GET", "pricing"):
                return {"pricing": things.pricing()}
            case ("GET", "server_types"):
                return self._page("server_types", [things.server_type(name) for name in things.TYPES], query)
            case ("GET", kind, "actions"):
                running = [each for each in self.actions.values() if each["resources"][0]["of"] == kind]
                return self._page("actions", [each for each in running if each["status"] == "running"], query)
            case ("GET", "actions", number) | ("GET", _, "actions", number):
                return {"action": self._polled(int(number))}
            case ("GET", "zones", zone, "rrsets"):
                return self._page("rrsets", list(self.sets[self._id("zones", zone)].values()), query)
            case ("GET", kind):
                found = [
                    each for each in self.kept[kind].values() if query.get("name") in (None, each["name"])
                ]
                return self._page(kind, found, query)
            case ("GET", kind, number):
                return {ONE[kind]: self.kept[kind][self._id(kind, number)]}
            case ("POST", kind):
                return self._make(kind, body)
            case ("PUT", kind, number):
                return self._update(self.kept[kind][self._id(kind, number)], kind, body)
            case ("DELETE", kind, number):
                return self._delete(kind, self._id(kind, number))
            case ("POST", "zones", zone, "rrsets"):
                return self._make_set(self._id("zones", zone), body)
            case ("POST", "zones", zone, "rrsets", name, of, "actions", command):
                return self._change_set(self._id("zones", zone), f"{name}/{of}", command, body)
            case ("POST", kind, number, "actions", command):
                return self._act(kind, self._id(kind, number), command, body)
        raise Refusal("not_found", "/".join(parts))

    def _id(self, kind: str, given: str) -> int:
        for number, thing in self.kept[kind].items():
            if given in (str(number), thing["name"]):
                return number
        raise Refusal("not_found", f"{kind} {given}")

    def _page(self, key: str, found: list[Any], query: dict[str, str]) -> dict[str, Any]:
        page, size = int(query.get("page", 1)), min(self.per_page, int(query.get("per_page", 25)))
        last = max(1, -(-len(found) // size))
        meta = {
            "page": page,
            "per_page": size,
            "previous_page": page - 1 or None,
            "next_page": page + 1 if page < last else None,
            "last_page": last,
            "total_entries": len(found),
        }
        return {key: found[(page - 1) * size : page * size], "meta": {"pagination": meta}}

    # --- actions ---

    def begin(self, command: str, kind: str, number: int) -> dict[str, Any]:
        """An action that has begun; its thing is locked until it ends."""
        self.number += 1
        failed = command in self.failing
        if failed:
            self.failing.remove(command)
        action = {
            "id": self.number,
            "command": command,
            "status": "running",
            "progress": 0,
            "started": things.CREATED,
            "finished": None,
            "resources": [{"id": number, "type": ONE[kind], "of": kind}],
            "error": None,
        }
        self.actions[self.number], self.left[self.number] = action, self.polls
        if failed:
            action |= {"status": "error", "error": {"code": "action_failed", "message": "Action failed"}}
        elif not self.polls:
            action |= {"status": "success", "progress": 100, "finished": things.CREATED}
        return action

    def _polled(self, number: int) -> dict[str, Any]:
        if number not in self.actions:
            raise Refusal("not_found", f"action {number}")
        action = self.actions[number]
        self.left[number] -= 1
        if self.left[number] < 0 and action["status"] == "running":
            action |= {"status": "success", "progress": 100, "finished": things.CREATED}
        return action

    def _locked(self, kind: str, number: int) -> bool:
        return any(
            action["status"] == "running" and action["resources"][0]["of"] == kind
            for action in self.actions.values()
            if action["resources"][0]["id"] == number
        )

    # --- making and changing ---

    def _make(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        if missing := NEEDED[kind] - set(body):
            raise Refusal("invalid_input", f"missing {sorted(missing)}")
        if any(each["name"] == body["name"] for each in self.kept[kind].values()):
            raise Refusal("uniqueness_error", f"{body['name']} is already used")
        self.number += 1
        number = self.number
        common = {
            "id": number,
            "name": body["name"],
            "labels": body.get("labels", {}),
            "created": things.CREATED,
        }
        thing = {**common, **things.MAKERS[kind](number, body)}
        self.kept[kind][number] = thing
        if kind == "zones":
            self.sets[number] = {}
        if kind == "servers":
            self._furnish(thing, body)
        if kind in ("ssh_keys", "networks"):
            return {ONE[kind]: thing}
        if kind == "firewalls":
            return {"firewall": thing, "actions": []}
        begun = self.begin(f"create_{ONE[kind]}", kind, number)
        more = {"next_actions": []} if kind in ("volumes", "servers") else {}
        return {
            ONE[kind]: thing,
            "action": begun,
            **more,
            **({"root_password": None} if kind == "servers" else {}),
        }

    def _furnish(self, server: dict[str, Any], body: dict[str, Any]) -> None:
        """Give a new server what it was ordered with, or refuse it whole."""
        number, public = server["id"], server["public_net"]
        try:
            for name in ("ipv4", "ipv6"):
                if (wanted := body.get("public_net", {}).get(name)) is not None:
                    address = self.kept["primary_ips"][wanted]
                    if address["assignee_id"] or address["location"] != server["location"]:
                        raise Refusal("invalid_input", "the primary IP is not free here")
                    public[name] = {"id": wanted, "ip": address["ip"], "blocked": False, "dns_ptr": []}
            for volume in body.get("volumes", []):
                self._attach(self.kept["volumes"][volume], server)
        except Refusal:
            del self.kept["servers"][number]
            raise
        for name in ("ipv4", "ipv6"):
            if public[name]:
                self.kept["primary_ips"][public[name]["id"]]["assignee_id"] = number
        public["firewalls"] = [{"id": each["firewall"], "status": "applied"} for each in body["firewalls"]]
        if body.get("placement_group"):
            group = self.kept["placement_groups"][body["placement_group"]]
            group["servers"].append(number)
            server["placement_group"] = group

    def _attach(self, volume: dict[str, Any], server: dict[str, Any]) -> None:
        if volume["server"] is not None:
            raise Refusal("conflict", "volume is attached")
        if volume["location"] != server["location"]:
            raise Refusal("invalid_input", "volume is elsewhere")
        volume["server"] = server["id"]
        server["volumes"].append(volume["id"])

    def _update(self, thing: dict[str, Any], kind: str, body: dict[str, Any]) -> dict[str, Any]:
        thing.update({key: value for key, value in body.items() if key in ("name", "labels", "auto_delete")})
        return {ONE[kind]: thing}

    def _delete(self, kind: str, number: int) -> dict[str, Any]:
        if self.kept[kind][number].get("protection", {}).get("delete"):
            raise Refusal("protected", f"{ONE[kind]} is protected")
        del self.kept[kind][number]
        return {}

    def _act(self, kind: str, number: int, command: str, body: dict[str, Any]) -> dict[str, Any]:
        thing = self.kept[kind][number]
        if self._locked(kind, number):
            raise Refusal("locked", f"{ONE[kind]} is locked")
        action = self.begin(command, kind, number)
        if action["status"] == "error":
            return {"actions": [action]} if kind == "firewalls" else {"action": action}
        match command:
            case "change_protection":
                thing["protection"].update(body)
            case "attach":
                self._attach(thing, self.kept["servers"][body["server"]])
            case "resize":
                if body["size"] < thing["size"]:
                    raise Refusal("invalid_input", "volumes can't shrink")
                thing["size"] = body["size"]
            case "attach_to_network":
                thing["private_net"].append(
                    {
                        "network": body["network"],
                        "ip": body["ip"],
                        "alias_ips": [],
                        "mac_address": "86:00:00:00:00:01",
                    }
                )
                self.kept["networks"][body["network"]]["servers"].append(number)
            case "add_subnet":
                thing["subnets"].append(things.subnet(body))
            case "change_dns_ptr":
                thing["dns_ptr"] = [{"ip": body["ip"], "dns_ptr": body["dns_ptr"]}]
            case "enable_backup":
                thing["backup_window"] = "22-02"
            case "poweron":
                thing["status"] = "running"
            case "change_ttl":
                thing["ttl"] = body["ttl"]
            case "set_rules":
                thing["rules"] = [things.rule(each) for each in body["rules"]]
            case "apply_to_resources":
                for resource in body["apply_to"]:
                    server = self.kept["servers"][resource["server"]["id"]]
                    server["public_net"]["firewalls"].append({"id": number, "status": "applied"})
            case _:
                raise Refusal("not_found", command)
        return {"actions": [action]} if kind == "firewalls" else {"action": action}

    def _make_set(self, zone: int, body: dict[str, Any]) -> dict[str, Any]:
        key = f"{body['name']}/{body['type']}"
        if key in self.sets[zone]:
            raise Refusal("uniqueness_error", key)
        self.sets[zone][key] = {
            "id": key,
            "zone": zone,
            "ttl": body.get("ttl"),
            "labels": body.get("labels", {}),
            "protection": {"change": False},
            "name": body["name"],
            "type": body["type"],
            "records": [{"comment": None, **each} for each in body["records"]],
        }
        return {"rrset": self.sets[zone][key], "action": self.begin("create_rrset", "zones", zone)}

    def _change_set(self, zone: int, key: str, command: str, body: dict[str, Any]) -> dict[str, Any]:
        if command == "set_records":
            self.sets[zone][key]["records"] = [{"comment": None, **each} for each in body["records"]]
        elif command == "change_ttl":
            self.sets[zone][key]["ttl"] = body["ttl"]
        else:
            raise Refusal("not_found", command)
        return {"action": self.begin(command, "zones", zone)}


def _error(code: str, message: str = "") -> JSONResponse:
    return JSONResponse(
        {"error": {"code": code, "message": message or code, "details": {}}},
        STATUS[code],
        headers={"X-Correlation-Id": "0d0b1e"},
    )


def make_app(double: Double) -> FastAPI:
    """The double as an application."""
    app = FastAPI()

    @app.api_route("/v1/{rest:path}", methods=["GET", "POST", "PUT", "DELETE"])
    async def call(request: Request, rest: str) -> JSONResponse:
        body = await request.json() if await request.body() else {}
        changes = request.method != "GET"
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _error("unauthorized", "unable to authenticate")
        double.calls.append((request.method, f"/{rest}", body))
        if double.failures:
            return _error(double.failures.pop(0))
        try:
            answer = double.answer(request.method, rest.split("/"), body, dict(request.query_params))
        except Refusal as refused:
            return _error(refused.code, refused.message)
        if changes:
            await run_in_threadpool(double.after, request.method, f"/{rest}")
            if double.lost:
                return _error(double.lost.pop(0))
        return JSONResponse(answer, 201 if request.method == "POST" else 200)

    return app


@contextmanager
def running() -> Iterator[Double]:
    """The double, listening on a port of its own."""
    double, port = Double(), free_base_port()
    server = uvicorn.Server(uvicorn.Config(make_app(double), host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    double.url = f"http://127.0.0.1:{port}/v1"
    try:
        yield double
    finally:
        server.should_exit = True
        thread.join(5)
