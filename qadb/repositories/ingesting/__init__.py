"""Reports into the database by the engine's bulk path, for ``qadb ingest``."""
