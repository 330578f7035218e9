"""Who may do what: roles as sets of named permissions, checked once, here."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from leitstand.errors import Forbidden
from leitstand.words import Message, msg

PERMISSIONS: dict[str, str] = {
    "item:read": "open items",
    "item:write": "create and edit items",
    "item:publish": "publish items",
    "item:share": "share their items with people and groups",
    "item:internal": "see internal items",
    "item:official": "make items official",
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

_MEMBER = frozenset({"item:read", "item:write", "item:share"})
_MAKER = _MEMBER | {"item:publish", "item:internal"}
EXTERNAL = "external"
ROLES: dict[str, frozenset[str]] = {
    "owner": frozenset(PERMISSIONS),
    "admin": frozenset(PERMISSIONS) - {"billing:manage"},
    "creator": _MAKER | {"insights:read", "insights:write", "events:write"},
    "agent builder": _MAKER,
    "analyst": frozenset({"item:read", "insights:read", "insights:write"}),
    "operator": frozenset(
        {
            "item:read",
            "item:internal",
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
    # Somebody outside of the organisation: sees what is granted to them and nothing else.
    EXTERNAL: frozenset({"item:read"}),
}


@dataclass(frozen=True)
class Principal:
    """Who is acting, in which workspace, with which permissions.

    `zone` is the workspace's, in which figures are counted; `own_zone` the person's, empty where it is the same.
    `token_id` and `token_name` are set where a program acts with an API token of the person; `impersonator` is the
    e-mail of the owner who acts as this person, empty where it is the person.
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
    language: str = ""
    own_zone: str = ""
    token_id: UUID | None = None
    token_name: str = ""
    impersonator: str = ""

    def may(self, permission: str) -> bool:
        """Whether this principal has the permission."""
        return permission in self.permissions

    @property
    def local_zone(self) -> str:
        """The zone in which this principal reads times."""
        return self.own_zone or self.zone

    @property
    def external(self) -> bool:
        """Whether this is somebody outside of the organisation."""
        return self.role == EXTERNAL

    @property
    def actor(self) -> str:
        """How the audit log names this principal."""
        who = self.email or self.name
        if self.impersonator:
            return f"{self.impersonator} as {who}"
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
            msg("This API token may not {deed}.", deed=Message(PERMISSIONS[permission])),
            hint=msg(
                "Make a token with the permission {permission}; your role must have it too.",
                permission=permission,
            ),
        )
    # A role that a workspace made itself has the name that it was given.
    role = Message(principal.role) if principal.role in ROLES else principal.role
    raise Forbidden(
        msg("Your role ({role}) may not {deed}.", role=role, deed=Message(PERMISSIONS[permission])),
        hint="Ask an owner or admin of the workspace for a role that may.",
    )


def require_person(principal: Principal) -> None:
    """Refuse a token where only a person may act: whoever finds one must not be able to make more of it.

    Raises:
        Forbidden: the principal acts with an API token, or an owner acts as this person.
    """
    require_oneself(principal)
    if principal.token_id:
        raise Forbidden("An API token may not do this.", hint="Sign in and do it yourself.")


def require_oneself(principal: Principal) -> None:
    """Refuse an owner who acts as somebody else: what lets that person in is theirs alone.

    Raises:
        Forbidden: the principal is impersonated.
    """
    if principal.impersonator:
        raise Forbidden(
            "You may not do this while you act as somebody else.",
            hint="Stop acting as them first; what lets a person in is theirs alone.",
        )


def require_member(principal: Principal) -> None:
    """Refuse people outside of the organisation.

    Raises:
        Forbidden: the principal is external.
    """
    if principal.external:
        raise Forbidden(
            "This is for members of the organisation.", hint="Ask whoever shares with you for what you need."
        )


def require_covered(principal: Principal, permissions: Collection[str]) -> None:
    """Refuse to give, change or take away more permissions than the principal has.

    Raises:
        Forbidden: one of them is not the principal's.
    """
    beyond = sorted(set(permissions) - principal.permissions)
    if beyond:
        raise Forbidden(
            msg(
                "Your role does not have the permission {beyond} itself, so that you can neither give it nor take it.",
                beyond=beyond[0],
            ),
            hint="Ask an owner of the workspace.",
        )


def system_principal(workspace_id: UUID, name: str = "system") -> Principal:
    """The operator at the command line or a flow: someone who already has the machine."""
    return Principal(None, workspace_id, name, "", "owner", ROLES["owner"])
