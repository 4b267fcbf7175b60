"""Cleaning: which rows retention lets go, what keeps them, and their deletion in batches.

Works on the `Retention` and the metadata of any schema. When cleaning runs, for how long and what
is told of it is decided above; what differs between engines lies behind their `Cleaner`.
"""
