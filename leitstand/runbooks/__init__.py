"""Runbooks and restore drills: notebooks that are found, run, checked for secrets and archived."""
