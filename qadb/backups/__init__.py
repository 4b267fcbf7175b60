"""Backups as files: how they look, how they get their name, which are there, which may go."""
