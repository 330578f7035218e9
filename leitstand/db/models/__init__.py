"""Every table, a module a feature."""

from leitstand.db.models.base import Base
from leitstand.db.models.catalogue import Companion, CompanionVersion, Favorite, Item, Recent
from leitstand.db.models.event_archive import EventArchive
from leitstand.db.models.events import ActorBucket, Event, EventImport, EventRefusal, RunFact
from leitstand.db.models.fact_copy import FactChange, FactCopy, FactPart
from leitstand.db.models.identity import (
    ApiToken,
    AuditEntry,
    IdempotencyKey,
    Membership,
    Person,
    SignInAttempt,
    UserSession,
    Workspace,
)
from leitstand.db.models.insights import Annotation, SavedView
from leitstand.db.models.knowledge import Chunk, Document
from leitstand.db.models.operations import (
    Backup,
    CheckRun,
    Drill,
    EvidenceLink,
    FlowExecution,
    Heartbeat,
    JobFailure,
    PruneRun,
)
from leitstand.db.models.reports import Report, ReportMail, ReportSubscription
from leitstand.db.models.runtime import FlowRun

__all__ = [
    "ActorBucket", "Annotation", "ApiToken", "AuditEntry", "Backup", "Base", "CheckRun", "Chunk", "Companion",
    "CompanionVersion", "Document", "Drill", "Event", "EventArchive", "EventImport", "EventRefusal", "EvidenceLink", "FactChange", "FactCopy",
    "FactPart", "Favorite", "FlowExecution", "FlowRun", "Heartbeat", "IdempotencyKey", "Item", "JobFailure", "Membership", "Person",
    "PruneRun", "Recent", "Report", "ReportMail", "ReportSubscription", "RunFact", "SavedView", "SignInAttempt", "UserSession",
    "Workspace",
]  # fmt: skip
