"""Agents: their threads by what became of them, and what questions to models used and cost."""
