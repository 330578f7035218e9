"""Usage: events, runs, people and storage by month, and what the running month will come to."""
