"""What a request may do with each table, and which of its rows it sees: the whole list, in one place.

Every table stands here. One that belongs to a workspace, or to a person, has a condition that PostgreSQL adds to whatever
a request asks; one that belongs to the environment has none, and only the rights that pages of it need.
"""

from dataclasses import dataclass

# Empty where nobody has entered: then nothing is equal to it.
WORKSPACE = "NULLIF(current_setting('leitstand.workspace', true), '')::uuid"
PERSON = "NULLIF(current_setting('leitstand.person', true), '')::uuid"


@dataclass(frozen=True)
class Rule:
    """A table's rule.

    Args:
        rights: what a request may do, of SELECT, INSERT, UPDATE and DELETE by their first letters; empty: nothing.
        rows: the condition for the rows that are there for it; empty: all of them.
    """

    rights: str = "SIUD"
    rows: str = ""


def _of_workspace(rights: str = "SIUD") -> Rule:
    return Rule(rights, f"workspace_id = {WORKSPACE}")


def _of_item(column: str, rights: str = "SIUD") -> Rule:
    """Rows that hang on an item. Its workspace is asked of the item, which is found by its key."""
    here = f"SELECT FROM item WHERE item.id = {column} AND item.workspace_id = {WORKSPACE}"
    return Rule(rights, f"EXISTS ({here})")


def _own(rights: str = "SIUD") -> Rule:
    return Rule(rights, f"person_id = {PERSON}")


_MEMBER = (
    f"SELECT FROM membership WHERE membership.person_id = person.id AND membership.workspace_id = {WORKSPACE}"
)
_REPORT = f"SELECT FROM report WHERE report.id = report_id AND report.workspace_id = {WORKSPACE}"

# Of a workspace.
WORKSPACES = {
    "workspace": Rule("SU", f"id = {WORKSPACE}"),
    # Whoever belongs to the workspace. The account itself is the person's everywhere: it is made and deleted outside.
    "person": Rule("SU", f"EXISTS ({_MEMBER})"),
    "annotation": _of_workspace(),
    "api_token": _of_workspace(),
    "actor_bucket": _of_workspace("S"),
    "app_schedule": _of_workspace(),
    "audit_entry": _of_workspace("SI"),
    "billing_event": _of_workspace("S"),
    "chunk": _of_workspace(),
    "companion": _of_item("companion.item_id"),
    "companion_version": _of_item("companion_version.companion_id"),
    "conversation": _of_workspace(),
    "conversation_attachment": _of_workspace(),
    "conversation_message": _of_workspace(),
    "document": _of_workspace(),
    "embedding": _of_workspace(),
    "event": _of_workspace("S"),
    "event_archive": _of_workspace("S"),
    "event_import": _of_workspace("S"),
    "event_refusal": _of_workspace(),
    "fact_change": _of_workspace("S"),
    "fact_copy": _of_workspace("S"),
    "fact_part": _of_workspace("S"),
    "favorite": _of_item("favorite.item_id"),
    "flow_run": _of_workspace(),
    "group_member": _of_workspace(),
    "handover": _of_workspace(),
    "idempotency_key": _of_workspace(),
    "identity_link": _of_workspace(),
    "identity_provider": _of_workspace(),
    "invitation": _of_workspace(),
    "invitation_grant": _of_workspace(),
    "invoice": _of_workspace(),
    "item": _of_workspace(),
    "item_grant": _of_workspace(),
    "item_reference": _of_item("item_reference.from_id"),
    "item_version": _of_item("item_version.item_id"),
    "membership": _of_workspace(),
    "model_call": _of_workspace("SI"),
    "model_endpoint": _of_workspace(),
    "passage_change": _of_workspace("SI"),
    "people_group": _of_workspace(),
    "plan_change": _of_workspace("SIU"),
    "recent": _of_item("recent.item_id"),
    "report": _of_workspace(),
    "report_mail": Rule("SIUD", f"EXISTS ({_REPORT})"),
    "report_subscription": _of_workspace(),
    "run_fact": _of_workspace("S"),
    "s3_import": _of_workspace(),
    "s3_import_object": _of_workspace(),
    "saved_view": _of_workspace(),
    "thread": _of_workspace(),
    "thread_step": _of_workspace(),
    "tool": _of_workspace(),
    "upload": _of_workspace(),
    "user_session": _of_workspace(),
    "webhook": _of_workspace(),
    "webhook_delivery": _of_workspace(),
    "workspace_plan": _of_workspace(),
    "workspace_role": _of_workspace(),
}
# Of a person, wherever they are: what signs them in.
PEOPLE = {
    "one_time_code": _own(),
    "passkey": _own(),
    "password_reset": _own("SU"),
    "recovery_code": _own(),
    "sign_in_step": _own(),
}
# Of the environment: what operators' pages show and set going, and what no workspace has. No row names a workspace.
ENVIRONMENT = {
    "alembic_version": Rule("S"),
    "backup": Rule("SIU"),
    "check_run": Rule("SI"),
    "drill": Rule("SIU"),
    "evidence_link": Rule("SI"),
    "flow_execution": Rule("S"),
    "heartbeat": Rule("S"),
    "job_failure": Rule("S"),
    "prune_run": Rule("SIU"),
    "sign_in_attempt": Rule("SID"),
    # The queue: its functions run with the rights of who calls them.
    "procrastinate_events": Rule("SI"),
    "procrastinate_jobs": Rule("SIU"),
    "procrastinate_periodic_defers": Rule(""),
    "procrastinate_workers": Rule(""),
}
RULES = {**WORKSPACES, **PEOPLE, **ENVIRONMENT}
