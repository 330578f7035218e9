"""pgBackRest, driven as one of the engines that back PostgreSQL up (`engines/pgbackrest.py`)."""
