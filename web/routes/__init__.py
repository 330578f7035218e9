"""Pages, a module an area."""
