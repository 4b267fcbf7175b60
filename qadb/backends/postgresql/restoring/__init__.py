"""Makes a PostgreSQL database of a backup, and puts it in another's place."""
