"""Alembic's way in from a checkout: the same settings, rules and history as ``qadb migrate``."""

from qadb.revisions.alembic_cli import run

run()
