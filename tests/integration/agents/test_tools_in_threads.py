"""An agent with a tool of each kind: what its model is told of each, in one thread."""

from sqlalchemy import select

from leitstand.agents.tools import configured
from leitstand.agents.tools.configured import Draft
from leitstand.db.models import Report
from tests.integration.agents.at_work import AtWork, bare, work
from tests.mcp_server import McpServer, mcp_server
from tests.model_server import calls, models, says
from tests.receiver import receiver
from tests.spaces import space_with

__all__ = ["bare", "mcp_server", "models", "receiver", "work"]


def test_an_agent_uses_tools_of_every_kind(work: AtWork, mcp_server: McpServer) -> None:
    space = space_with(work.session, work.boss.workspace_id, b"# Herons\n\nHerons eat fish.\n")
    work.tool("send")
    for draft in (
        Draft("report", "flow", "Makes it.", {"flow": "make-report"}),
        Draft("echo", "mcp", "Says it.", {"url": mcp_server.url, "tool": "echo.text"}, {"type": "object"}),
    ):
        configured.create(work.session, principal=work.boss, draft=draft)
    work.session.commit()
    work.models.answer(
        calls(
            ("search_spaces", {"question": "What do herons eat?"}),
            ("send", {"text": "fish"}),
            ("echo", {"text": "Hello."}),
            ("report", {"name": "weekly-insights", "day": "2026-03-04"}),
            ("report", {"name": "nonsense"}),
        ),
        says("All done."),
    )
    thread = work.run(work.begin("send", "report", "echo", spaces=[str(space.id)]))
    assert (thread.status, thread.output) == ("succeeded", "All done.")
    found, sent, echoed, made, refused = work.results()
    assert "> Herons eat fish." in found and "herons.md" in found
    assert (sent, echoed) == ("thank you", "Hello.")
    report = work.session.scalars(select(Report)).one()
    assert str(report.id) in made and report.requested_by == work.boss.actor
    assert "'nonsense' is not one of" in refused
    assert work.uses() == 4, "what does not fit is used by nobody"
