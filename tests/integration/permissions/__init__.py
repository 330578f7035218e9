"""Who may ask for what, route by route."""
