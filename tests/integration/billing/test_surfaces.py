"""Plans and billing as a page, through the API, on the command line; invoices made by hand."""

from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leitstand.billing.invoices import issue_invoices
from leitstand.db.models import Invoice, Workspace
from leitstand.identity.sessions import COOKIE
from tests.apps import api_app, web_app
from tests.people import Visitor, join, visit
from tests.stripe_double import Double, signed

PAGE = "/settings/billing"
MARCH = datetime(2026, 3, 5, tzinfo=UTC)


@pytest.fixture
def visitor(plans: None, engine: Engine, session: Session, workspace: Workspace) -> Visitor:
    return visit(web_app(), session, join(session, workspace))


@pytest.fixture
def programs(visitor: Visitor) -> TestClient:
    client = TestClient(api_app())
    client.cookies.set(COOKIE, visitor.client.cookies[COOKIE])
    client.headers["X-CSRF-Token"] = visitor.csrf
    return client


def test_a_plan_is_chosen_and_its_month_is_invoiced_once_and_paid(visitor: Visitor, session: Session) -> None:
    page = visitor.get(PAGE).text
    assert "Current plan: Free" in page
    assert "No invoice yet" in page
    assert visitor.post(f"{PAGE}/plan", plan="small").status_code == 303
    assert visitor.post(f"{PAGE}/plan", plan="small").status_code == 409
    first = issue_invoices(session, now=MARCH)
    assert [(row.number, row.total_cents) for row in first] == [("2026-000001", 1900)]
    assert issue_invoices(session, now=MARCH) == []
    assert [row.number for row in issue_invoices(session, now=MARCH.replace(month=4))] == ["2026-000002"]
    session.commit()
    invoice = first[0]
    assert "19.00 EUR" in visitor.get(f"{PAGE}/invoices/{invoice.id}").text
    assert visitor.post(f"{PAGE}/invoices/{invoice.id}/paid").status_code == 303
    assert visitor.post(f"{PAGE}/invoices/{invoice.id}/paid").status_code == 409
    session.refresh(invoice)
    assert invoice.paid_at is not None
    assert "2026-000001,2026-03-01" in visitor.get(f"{PAGE}/invoices.csv").text
    assert visitor.get(f"{PAGE}/usage.csv").text.startswith("month,what,used,limit")


def test_programs_do_the_same_and_another_workspace_sees_nothing(
    programs: TestClient, session: Session
) -> None:
    assert programs.get("/api/v1/billing").json()["plan"]["name"] == "free"
    assert [plan["name"] for plan in programs.get("/api/v1/billing/plans").json()] == [
        "free",
        "small",
        "large",
    ]
    assert programs.put("/api/v1/billing/plan", json={"plan": "none"}).status_code == 404
    assert programs.put("/api/v1/billing/plan", json={"plan": "large"}).json()["done"] is True
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.flush()
    row = Invoice(
        workspace_id=other.id, number="X", period_start=MARCH.date(), period_end=MARCH.date(), lines=[],
        total_cents=0, currency="EUR",
    )  # fmt: skip
    session.add(row)
    session.commit()
    assert programs.get("/api/v1/billing/invoices").json() == []
    assert programs.get(f"/api/v1/billing/invoices/{row.id}").status_code == 404
    assert programs.post(f"/api/v1/billing/invoices/{row.id}/paid").status_code == 404


def test_a_limit_is_a_problem_document(programs: TestClient) -> None:
    made = [programs.post("/api/v1/companions", json={"title": str(number)}) for number in range(3)]
    assert [answer.status_code for answer in made] == [201, 201, 403]
    problem = made[2].json()
    assert (problem["what"], problem["limit"], problem["used"]) == ("items", 2, 2)


def test_only_owners(plans: None, engine: Engine, session: Session, workspace: Workspace) -> None:
    app = web_app()
    for role in ("admin", "member"):
        assert visit(app, session, join(session, workspace, role=role)).get(PAGE).status_code == 403


def test_stripe_needs_no_session_but_its_signature(double: Double, engine: Engine) -> None:
    client = TestClient(api_app(), raise_server_exceptions=False)
    body, headers = signed(
        {"id": "evt_1", "type": "x", "created": 1, "data": {"object": {}}}, datetime.now(UTC).timestamp()
    )
    assert client.post("/api/v1/billing/stripe", content=body).status_code == 422
    answers = [client.post("/api/v1/billing/stripe", content=body, headers=headers) for _ in range(2)]
    assert [answer.json()["outcome"] for answer in answers] == ["ignored", "repeated"]


def test_payment_is_a_link_that_no_policy_holds_back(
    double: Double, visitor: Visitor, session: Session, workspace: Workspace
) -> None:
    answer = visitor.post(f"{PAGE}/plan", plan="small", key="k")
    assert answer.status_code == 200
    assert 'href="https://checkout.stripe.test/' in answer.text
    assert visitor.post(f"{PAGE}/plan", plan="nothing").status_code == 404
