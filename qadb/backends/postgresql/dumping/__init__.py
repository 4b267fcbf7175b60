"""Writes a PostgreSQL database out."""
