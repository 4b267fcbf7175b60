"""Results as text blocks, one file a kind of result; no I/O and no decisions."""
