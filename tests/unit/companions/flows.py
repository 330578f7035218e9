"""Flows that the tests share."""

from typing import Any

from leitstand.companions.flow import Flow, parse_flow


def booking() -> dict[str, Any]:
    """A flow with every kind of step, a branch, an option without a way of its own, and a loop."""
    return {
        "title": "Book a visit",
        "steps": [
            {"name": "hello", "kind": "message", "text": "Hello!", "next": "topic"},
            {
                "name": "topic",
                "kind": "choice",
                "text": "What is it about?",
                "options": [
                    {"value": "visit", "label": "A visit", "next": "day"},
                    {"value": "other", "label": "Something else"},
                    {"value": "nothing", "next": "bye"},
                ],
                "next": "words",
            },
            {"name": "day", "kind": "question", "text": "Which day?", "max_length": 20, "next": "thanks"},
            {"name": "thanks", "kind": "message", "text": "Noted.", "next": "more"},
            {
                "name": "words",
                "kind": "question",
                "text": "Tell us.",
                "required": False,
                "long": True,
                "next": "more",
            },
            {
                "name": "more",
                "kind": "choice",
                "text": "Anything else?",
                "options": [{"value": "yes", "next": "topic"}, {"value": "no", "next": "bye"}],
            },
            {"name": "bye", "kind": "end", "text": "Goodbye."},
        ],
    }


def booking_flow() -> Flow:
    """The flow of `booking`."""
    return parse_flow(booking())
