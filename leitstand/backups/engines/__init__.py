"""The programs that back PostgreSQL up, behind one interface; which one takes backups is a setting."""
