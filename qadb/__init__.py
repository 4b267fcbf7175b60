"""qadb: the database your test results live in, and the one command that runs it."""

__version__ = "0.1.0"
