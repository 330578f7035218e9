"""leitstand query: search and ask, and measure how good the search is."""

import json
from pathlib import Path
from uuid import UUID

import click
from sqlalchemy.orm import Session

from leitstand.cli._options import database
from leitstand.cli._query_index import rebuild
from leitstand.db.engine import transaction
from leitstand.identity.access import Principal, system_principal
from leitstand.identity.workspaces import find_workspace
from leitstand.knowledge.answers import QUOTED_NOTE, ask
from leitstand.knowledge.evaluation import evaluate
from leitstand.knowledge.model_answers import compose
from leitstand.knowledge.spaces import find_space
from leitstand.telemetry.logs import configure_logging

workspace_option = click.option("--workspace", required=True, metavar="W", help="The workspace.")
space_option = click.option("--space", metavar="S", help="Only this space: its id or title.")
ANSWER_SECONDS = 120.0
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group("query")
def group() -> None:
    """Ask the documents, measure the answers, and make again what finds them."""


group.add_command(rebuild)


@group.command("ask")
@click.argument("question")
@workspace_option
@space_option
@click.option("--extractive", is_flag=True, help="Ask no model: quote the documents.")
@json_option
def ask_question(question: str, workspace: str, space: str | None, extractive: bool, as_json: bool) -> None:
    """Answer QUESTION from the documents, with citations; by a model where the workspace has one."""
    # What is logged of a question must not stand before the answer.
    configure_logging("cli", "WARNING")
    with database() as engine:
        with transaction(engine) as session:
            principal = system_principal(find_workspace(session, workspace).id, "command line")
            space_id = _space(session, principal, space)
            answer = None
            if extractive:
                answer = ask(
                    session, principal=principal, question=question, space_id=space_id, why=QUOTED_NOTE
                )
        answer = answer or compose(
            engine,
            principal=principal,
            question=question,
            space_id=space_id,
            purpose="ask",
            seconds=ANSWER_SECONDS,
        )
    if as_json:
        click.echo(json.dumps(answer.to_dict(), ensure_ascii=False))
        return
    click.echo(answer.answer)
    for citation in answer.citations:
        click.echo(f"  [{citation.number}] {citation.heading} (passage {citation.passage})")
    click.echo(answer.note, err=True)


@group.command("evaluate")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@json_option
def evaluate_set(folder: Path, as_json: bool) -> None:
    """Measure the search on the set in FOLDER (docs.jsonl.gz, queries.jsonl, qrels.tsv): nDCG@10, Recall@10, MRR@10."""
    with database() as engine:
        figures = evaluate(engine, folder)
    if as_json:
        click.echo(json.dumps(figures.to_dict()))
        return
    click.echo(
        f"{figures.set}: {figures.queries:,} questions, {figures.documents:,} documents, {figures.passages:,} passages"
    )
    for name, part in figures.parts.items():
        click.echo(
            f"{name:8} nDCG@10 {part.ndcg_at_10:.4f}   Recall@10 {part.recall_at_10:.4f}   MRR@10 {part.mrr_at_10:.4f}"
            f"   answered {part.answered:.3f}   misled {part.misled:.3f}"
        )
    click.echo(
        f"{figures.milliseconds_p50:.1f} ms a question (median), {figures.milliseconds_p95:.1f} ms (p95)"
    )


def _space(session: Session, principal: Principal, name: str | None) -> UUID | None:
    return find_space(session, principal=principal, name=name).id if name else None
