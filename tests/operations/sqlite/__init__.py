"""Tests of operations on a SQLite file that other processes may have open."""
