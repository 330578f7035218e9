"""Operations: services, backups, restore drills over time, executions of flows and data checks."""
