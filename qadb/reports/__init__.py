"""Readers of test-report files: bytes in, records out.

Owns the formats that qadb can read. It knows no database: what becomes of a record is the
caller's business.
"""
