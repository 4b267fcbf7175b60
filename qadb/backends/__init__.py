"""Engine adapters: all that differs between SQLite and PostgreSQL, one folder an engine."""
