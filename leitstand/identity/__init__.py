"""People, roles, permissions, sessions and the audit log."""
