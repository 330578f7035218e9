"""An environment made anew from its backups: the steps, the smoke test, the drill and the runbook."""
