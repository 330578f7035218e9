"""What the figures are: one module a question, computed from the facts. See docs/guide/figures.md."""
