"""Reports: figures of a week or a month for people who would rather read, made on a schedule, archived and mailed."""
