"""Prometheus figures of questions to models: how many, how they ended, how long they took, how many tokens."""

from prometheus_client import Counter, Histogram

from leitstand.errors import LeitstandError
from leitstand.language_models.messages import Spent
from leitstand.outgoing.connections import Stopped

QUESTIONS = Counter(
    "leitstand_model_questions_total",
    "Questions that models were asked, by purpose and by how they ended: answered, failed or stopped.",
    ["purpose", "outcome"],
)
SECONDS = Histogram(
    "leitstand_model_question_seconds",
    "Time from a question to the end of its answer, attempts and waits included.",
    ["purpose"],
    buckets=(0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 180),
)
TOKENS = Counter(
    "leitstand_model_tokens_total",
    "Tokens of questions (prompt) and answers (completion), also of those that failed.",
    ["purpose", "kind"],
)


def count(purpose: str, *, seconds: float, spent: Spent, error: LeitstandError | None = None) -> None:
    """Count one question.

    Args:
        error: why it was not answered.
    """
    outcome = "answered" if error is None else "stopped" if isinstance(error, Stopped) else "failed"
    QUESTIONS.labels(purpose, outcome).inc()
    SECONDS.labels(purpose).observe(seconds)
    TOKENS.labels(purpose, "prompt").inc(spent.prompt_tokens)
    TOKENS.labels(purpose, "completion").inc(spent.completion_tokens)
