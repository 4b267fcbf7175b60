"""Tests of the report readers."""
