"""One request body of each shape that has no example beside it, as the OpenAPI document shows it."""

from typing import Any

PERSON = "01890a5d-ac96-774b-bcce-b302099a8057"
ITEM = "01890a5d-ac96-774b-bcce-b302099a8058"
ADDRESS = "https://hooks.example.org/leitstand"
BODIES: dict[str, dict[str, Any]] = {
    "AccountEnd": {"password": "the password of now", "to": PERSON},
    "AnnotationIn": {"kind": "release", "text": "Version 4.2 is out", "day": "2026-03-01"},
    "AppRunIn": {"inputs": {"topic": "Returns"}},
    "BackupIn": {"kind": "postgres"},
    "CheckIn": {"suite": "all"},
    "CompanionChange": {"title": "Help desk", "tags": ["support"]},
    "CompanionIn": {"title": "Help desk", "description": "Answers first questions.", "tags": ["support"]},
    "ConversationChange": {"title": "About returns"},
    "EditIn": {"text": "How long may goods be returned that were on sale?"},
    "ConversationIn": {"question": "How long may goods be returned?"},
    "DrillIn": {"name": "postgres-latest"},
    "EndpointIn": {
        "name": "House model",
        "base_url": "https://models.example.org/v1",
        "models": ["small"],
        "active": False,
        "prompt_price": "0.15",
        "completion_price": "0.6",
        "embeds": "small-vectors",
    },
    "FeedbackIn": {"feedback": "helpful"},
    "GrantIn": {"email": "guest@example.org", "level": "read", "expires_at": "2027-01-31T18:00:00Z"},
    "GroupIn": {"name": "Support", "description": "Those who answer."},
    "HeirIn": {"to": PERSON},
    "S3ImportIn": {
        "name": "Handbooks",
        "endpoint": "https://s3.example.org",
        "region": "eu-central-1",
        "bucket": "handbooks",
        "prefix": "current/",
        "access_key": "EXAMPLEACCESSKEY",
        "secret_key": "EXAMPLESECRETKEY",
        "space_id": ITEM,
        "every": "day",
    },
    "InvitationsIn": {"emails": ["new@example.org"], "role": "analyst", "message": "Welcome!"},
    "ItemsTo": {"to": PERSON, "item_ids": [ITEM]},
    "KeepIn": {"kept": True},
    "MeIn": {"name": "Olga Owner", "theme": "dark", "language": "de", "zone": "Europe/Vienna"},
    "MemberChange": {"role": "analyst"},
    "MessageIn": {"text": "And in Austria?"},
    "OrderIn": {"ids": [ITEM]},
    "OrganisationIn": {"name": "Example Ltd", "zone": "Europe/Vienna"},
    "PlacesIn": {"person_ids": [PERSON]},
    "PlanChoice": {"plan": "team"},
    "PruneIn": {"plan": "3f2a9c0d", "name": "leitstand-backups"},
    "PublishIn": {"version": 2},
    "QuestionIn": {"question": "How long may goods be returned?"},
    "ReplayIn": {"reason": "no companion"},
    "ReportIn": {"name": "weekly-insights", "day": "2026-03-01", "zone": "Europe/Vienna"},
    "ResumeIn": {"typed": ""},
    "RoleChange": {"description": "Reads all, changes nothing.", "permissions": ["item:read"]},
    "RoleIn": {"name": "reader", "description": "Reads all.", "permissions": ["item:read"]},
    "RunbookIn": {"parameters": {}, "typed": ""},
    "ScheduleChange": {"active": False},
    "ScheduleIn": {"cron": "0 7 * * 1-5", "zone": "Europe/Vienna", "inputs": {"topic": "Returns"}},
    "ServerIn": {"url": "https://mcp.example.org/mcp", "secret": "EXAMPLESECRET"},
    "SignIn": {"note": "Seen on 1 March; the copy is whole."},
    "SignOnIn": {
        "name": "Example Ltd",
        "issuer": "https://id.example.org",
        "client": "leitstand",
        "secret": "the secret of the client",
        "domains": ["example.org"],
    },
    "SubscriptionIn": {"zone": "Europe/Vienna"},
    "TokenIn": {"name": "Nightly import", "permissions": ["events:write"], "days": 90},
    "ToolIn": {
        "name": "find_order",
        "kind": "http",
        "description": "Finds an order by its number and says where it is.",
        "configuration": {"method": "GET", "url": "https://api.example.org/orders/{order}"},
        "parameters": {
            "type": "object",
            "properties": {"order": {"type": "string", "description": "The number on the receipt."}},
            "required": ["order"],
        },
        "secret": "EXAMPLESECRET",
        "repeatable": True,
    },
    "TryIn": {"arguments": {"question": "returns"}},
    "ViewChange": {"name": "Last week", "shared": True},
    "ViewIn": {"app": "overview", "name": "Last week", "choices": {"range": "last-7"}},
    "VisibilityIn": {"visibility": "workspace"},
    "WebhookIn": {"url": ADDRESS, "events": ["companion.*"], "description": "Chat room", "active": False},
    "ThreadIn": {"text": "Which goods were returned most last week?", "limits": {"steps": 10}},
}
# Of bodies that have no shape of their own: method, path, media type.
OTHERS: dict[tuple[str, str, str], Any] = {
    ("put", "/companions/{item_id}/flow", "application/json"): {
        "title": "Help desk",
        "steps": [
            {"kind": "question", "name": "topic", "text": "What brings you here?", "next": "thanks"},
            {"kind": "end", "name": "thanks", "text": "Thank you!"},
        ],
    },
    ("post", "/items/import", "application/json"): {
        "format": "leitstand-items",
        "version": 1,
        "items": [{"kind": "agent", "title": "Returns desk", "tags": ["support"]}],
    },
    ("post", "/events", "application/json"): {
        "events": [
            {
                "kind": "viewed",
                "companion": "shop",
                "run_key": "visit-17",
                "occurred_at": "2026-03-01T10:00:00Z",
            }
        ]
    },
}


def add_examples(document: dict[str, Any], prefix: str) -> None:
    """Put the examples into an OpenAPI document whose paths begin with `prefix`."""
    shapes = document["components"]["schemas"]
    for name, example in BODIES.items():
        if name in shapes:
            shapes[name].setdefault("examples", [example])
    for (method, path, media), example in OTHERS.items():
        body = document["paths"][prefix + path][method]["requestBody"]
        body["content"][media].setdefault("example", example)
