"""Brings the rows of somebody's own SQLite database in, by a mapping."""
