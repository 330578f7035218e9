"""Insights: the cards that lead to the dashboards."""

from fastapi import APIRouter, Request, Response

from leitstand.identity.access import require
from leitstand.words import N_
from serving.session import CurrentPrincipal
from web.pages import render

router = APIRouter(include_in_schema=False)
# title, address, icon, permission, what it answers
DASHBOARDS = (
    (
        N_("Overview"), "/insights/overview", "insights", "insights:read",
        N_("Traffic, active users, completion and the companions used most, over any range and zone, beside the period before."),
    ),
    (
        N_("Companion"), "/insights/companion", "companion", "insights:read",
        N_("One companion: its traffic, its funnel, and how the versions of its flow compare."),
    ),
    (
        N_("Flow"), "/insights/flow", "thread", "insights:read",
        N_("A companion's steps and branches as a diagram: reached, lost, and how long it took; and the runs at each step."),
    ),
    (
        N_("Audience"), "/insights/audience", "groups", "insights:read",
        N_("Who is active, who is new, who comes back in the weeks after, and with which companion."),
    ),
    (
        N_("Agents"), "/insights/agents", "agent", "insights:read",
        N_("What became of agents' threads and why some failed, and what questions to models used and cost."),
    ),
    (
        N_("Ingestion"), "/insights/ingestion", "integration", "insights:read",
        N_("Event files and documents that came in, what was refused or failed and why, and the jobs and flows behind them."),
    ),
    (
        N_("Usage"), "/insights/usage", "billing", "insights:read",
        N_("Events, runs, people, storage and tokens month by month, what this month will come to, and what the plan has room for."),
    ),
    (
        N_("Operations"), "/insights/operations", "drill", "operations:read",
        N_("Restore drills and backups over time: recovery points and times, sizes, checks and evidence."),
    ),
    (
        N_("Reports"), "/reports", "audit", "insights:read",
        N_("Weeks and months to read, as pages and PDF, made on a schedule and mailed to who subscribes."),
    ),
)  # fmt: skip


@router.get("/insights")
def insights_page(request: Request, principal: CurrentPrincipal) -> Response:
    """The dashboards that the principal may open."""
    require(principal, "insights:read")
    cards = [card for card in DASHBOARDS if principal.may(card[3])]
    return render(request, principal, "insights.html", area="insights", cards=cards)
