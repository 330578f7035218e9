"""Every table, a module a feature."""

from leitstand.db.models.agents import AppSchedule, ModelCall, Thread, ThreadStep, Tool
from leitstand.db.models.base import Base
from leitstand.db.models.billing import BillingEvent, Invoice, PlanChange, WorkspacePlan
from leitstand.db.models.catalogue import (
    Companion,
    CompanionVersion,
    Favorite,
    Item,
    ItemGrant,
    ItemReference,
    ItemVersion,
    Recent,
)
from leitstand.db.models.conversations import Conversation, ConversationAttachment, ConversationMessage
from leitstand.db.models.event_archive import EventArchive
from leitstand.db.models.events import ActorBucket, Event, EventImport, EventRefusal, RunFact
from leitstand.db.models.fact_copy import FactChange, FactCopy, FactPart
from leitstand.db.models.identity import (
    ApiToken,
    AuditEntry,
    GroupMember,
    IdempotencyKey,
    Invitation,
    InvitationGrant,
    Membership,
    PeopleGroup,
    Person,
    SignInAttempt,
    UserSession,
    Workspace,
    WorkspaceRole,
)
from leitstand.db.models.insights import Annotation, SavedView
from leitstand.db.models.integrations import ModelEndpoint, Webhook, WebhookDelivery
from leitstand.db.models.knowledge import Chunk, Document, Embedding, PassageChange, Upload
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
from leitstand.db.models.runtime import FlowRun, Handover
from leitstand.db.models.s3_imports import S3Import, S3ImportObject
from leitstand.db.models.signing_in import (
    IdentityLink,
    IdentityProvider,
    OneTimeCode,
    Passkey,
    PasswordReset,
    RecoveryCode,
    SignInStep,
)

__all__ = [
    "ActorBucket", "Annotation", "ApiToken", "AppSchedule", "AuditEntry", "Backup", "Base", "BillingEvent", "CheckRun", "Chunk",
    "Companion", "CompanionVersion", "Conversation", "ConversationAttachment", "ConversationMessage", "Document", "Drill", "Embedding", "Event", "EventArchive", "EventImport", "EventRefusal",
    "EvidenceLink", "FactChange", "FactCopy", "FactPart", "Favorite", "FlowExecution", "FlowRun", "GroupMember",
    "Handover",
    "Heartbeat", "IdempotencyKey", "IdentityLink", "IdentityProvider", "Invitation", "InvitationGrant", "Invoice",
    "Item", "ItemGrant", "ItemReference", "ItemVersion", "JobFailure", "Membership", "ModelCall", "ModelEndpoint", "OneTimeCode",
    "PassageChange", "Passkey", "PasswordReset", "PeopleGroup", "Person", "PlanChange", "PruneRun", "Recent", "RecoveryCode", "Report", "ReportMail",
    "ReportSubscription", "RunFact", "S3Import", "S3ImportObject", "SavedView", "SignInAttempt", "SignInStep", "Thread", "ThreadStep", "Tool", "Upload", "UserSession", "Webhook",
    "WebhookDelivery", "Workspace", "WorkspacePlan", "WorkspaceRole",
]  # fmt: skip
