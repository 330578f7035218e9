"""Who may do what: roles as sets of named permissions, checked once, here."""

from dataclasses import dataclass
from uuid import UUID

from leitstand.errors import Forbidden

PERMISSIONS: dict[str, str] = {
    "item:read": "open items",
    "item:write": "create and edit items",
    "item:publish": "publish items",
    "insights:read": "open insights",
    "insights:write": "annotate insights and save views of them",
    "events:write": "send and import events",
    "operations:read": "see services, backups and drills",
    "backup:run": "run and verify backups",
    "backup:prune": "remove backups that retention no longer keeps",
    "check:run": "run data checks",
    "drill:run": "run restore drills",
    "runbook:run": "run, resume and sign runbooks",
    "member:manage": "manage members and roles",
    "workspace:manage": "change the workspace's settings",
    "billing:manage": "manage plan and billing",
    "audit:read": "read the audit log",
}

_MEMBER = frozenset({"item:read", "item:write"})
ROLES: dict[str, frozenset[str]] = {
    "owner": frozenset(PERMISSIONS),
    "admin": frozenset(PERMISSIONS) - {"billing:manage"},
    "creator": _MEMBER | {"item:publish", "insights:read", "insights:write", "events:write"},
    "agent builder": _MEMBER | {"item:publish"},
    "analyst": frozenset({"item:read", "insights:read", "insights:write"}),
    "operator": frozenset(
        {
            "item:read",
            "insights:read",
            "insights:write",
            "operations:read",
            "backup:run",
            "backup:prune",
            "drill:run",
            "check:run",
            "runbook:run",
        }
    ),
    "member": _MEMBER,
}


@dataclass(frozen=True)
class Principal:
    """Who is acting, in which workspace, with which permissions.

    `token_id` and `token_name` are set where a program acts with an API token of the person.
    """

    person_id: UUID | None
    workspace_id: UUID
    name: str
    email: str
    role: str
    permissions: frozenset[str]
    session_id: UUID | None = None
    workspace_name: str = ""
    zone: str = "UTC"
    theme: str = "system"
    token_id: UUID | None = None
    token_name: str = ""

    def may(self, permission: str) -> bool:
        """Whether this principal has the permission."""
        return permission in self.permissions

    @property
    def actor(self) -> str:
        """How the audit log names this principal."""
        who = self.email or self.name
        return f"{who} (token {self.token_name})" if self.token_id else who


def require(principal: Principal, permission: str) -> None:
    """Refuse unless the permission is granted; every core function that acts for a person calls this.

    Raises:
        Forbidden: the role lacks the permission.
    """
    if permission not in PERMISSIONS:
        raise ValueError(f"unknown permission {permission!r}")
    if principal.may(permission):
        return
    if principal.token_id:
        raise Forbidden(
            f"This API token may not {PERMISSIONS[permission]}.",
            hint=f"Make a token with the permission {permission}; your role must have it too.",
        )
    raise Forbidden(
        f"Your role ({principal.role}) may not {PERMISSIONS[permission]}.",
        hint="Ask an owner or admin of the workspace for a role that may.",
    )


def require_person(principal: Principal) -> None:
    """Refuse a token where only a person may act: whoever finds one must not be able to make more of it.

    Raises:
        Forbidden: the principal acts with an API token.
    """
    if principal.token_id:
        raise Forbidden("An API token may not do this.", hint="Sign in and do it yourself.")


def system_principal(workspace_id: UUID, name: str = "system") -> Principal:
    """The operator at the command line or a flow: someone who already has the machine."""
    return Principal(None, workspace_id, name, "", "owner", ROLES["owner"])
