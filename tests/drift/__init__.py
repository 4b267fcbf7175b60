"""Drift: what the revisions make against what is there, on both engines."""
