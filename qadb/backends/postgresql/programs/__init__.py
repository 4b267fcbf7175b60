"""Finds and runs PostgreSQL's own programs."""
