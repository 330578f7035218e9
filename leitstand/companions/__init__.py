"""Companions' flows: what a flow may be, its versions, and its runs."""
