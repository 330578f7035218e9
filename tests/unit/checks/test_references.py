"""The query for references: derived from the models, across one and several tables, and from what a database has."""

from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Integer, MetaData, Table

from leitstand.checks.references import declared, query, way_to_workspace
from leitstand.db.models import Base

MODELS = Base.metadata


def made() -> MetaData:
    """A model with a table that names its workspace, one that does not, and one that points at both."""
    metadata = MetaData()
    Table("workspace", metadata, Column("id", Integer, primary_key=True))
    Table(
        "space", metadata,
        Column("id", Integer, primary_key=True), Column("workspace_id", ForeignKey("workspace.id")),
    )  # fmt: skip
    Table(
        "page", metadata,
        Column("space_id", ForeignKey("space.id"), primary_key=True), Column("number", Integer, primary_key=True),
    )  # fmt: skip
    Table(
        "note", metadata,
        Column("id", Integer, primary_key=True), Column("workspace_id", ForeignKey("workspace.id")),
        Column("space_id", Integer), Column("number", Integer), Column("other_id", Integer),
        ForeignKeyConstraint(["space_id", "number"], ["page.space_id", "page.number"]),
    )  # fmt: skip
    return metadata


def present(metadata: MetaData) -> dict[str, frozenset[str]]:
    return {name: frozenset(table.columns.keys()) for name, table in metadata.tables.items()}


def asked(metadata: MetaData, table: str, **also: str) -> str:
    return query(metadata, table, also, present(metadata))


def test_the_way_to_the_workspace_is_the_shortest() -> None:
    assert way_to_workspace(MODELS, "item") == ()
    assert [it.table for it in way_to_workspace(MODELS, "companion_version") or ()] == ["companion", "item"]
    assert [it.table for it in way_to_workspace(MODELS, "favorite") or ()] == ["item"]
    assert way_to_workspace(MODELS, "person") is None and way_to_workspace(MODELS, "backup") is None


def test_a_composite_key_is_followed_to_the_workspace_behind_it() -> None:
    found = asked(made(), "note")
    assert "LEFT JOIN page AS r0 ON r0.space_id = t.space_id AND r0.number = t.number" in found
    assert "LEFT JOIN space AS r0_1 ON r0_1.id = r0.space_id" in found
    assert "r0_1.workspace_id <> t.workspace_id" in found


def test_what_decides_the_workspace_is_not_compared_with_itself() -> None:
    found = asked(made(), "page")
    assert "points nowhere" in found and "another workspace" not in found


def test_a_new_foreign_key_is_covered_at_once() -> None:
    metadata = made()
    before = asked(metadata, "note")
    metadata.tables["note"].append_constraint(ForeignKeyConstraint(["other_id"], ["space.id"]))
    after = asked(metadata, "note")
    assert "other_id → space" in after and "other_id → space" not in before
    assert "r0.workspace_id <> t.workspace_id" in after
    assert "other_id → space" in asked(made(), "note", other_id="space.id")


def test_what_an_older_database_does_not_have_is_left_out() -> None:
    metadata = made()
    older = present(metadata) | {"note": frozenset({"id", "workspace_id"})}
    found = query(metadata, "note", {}, older)
    assert "workspace_id → workspace" in found and "page" not in found
    assert query(metadata, "note", {}, {"note": frozenset({"id"})}) == ""


def test_every_declared_key_of_every_table_stands_in_its_query() -> None:
    for table in MODELS.sorted_tables:
        keys = declared(table)
        found = query(MODELS, table.name, {}, present(MODELS))
        assert all(key.words in found for key in keys), table.name
        assert bool(found) == bool(keys)


def test_tenants_that_point_at_tenants_are_compared() -> None:
    compared = {
        table.name for table in MODELS.sorted_tables
        if "another workspace" in query(MODELS, table.name, {}, present(MODELS))
    }  # fmt: skip
    assert compared == {
        "actor_bucket", "api_token", "app_schedule", "chunk", "conversation", "conversation_attachment", "conversation_message", "document", "embedding", "event_refusal", "fact_part", "flow_run", "group_member", "handover",
        "invitation_grant", "item_grant", "item_reference", "model_call", "report_subscription", "run_fact", "s3_import", "s3_import_object", "user_session",
        "thread", "thread_step", "upload", "webhook_delivery",
    }  # fmt: skip
