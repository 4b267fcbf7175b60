"""The command line: what a person types and sees. Nothing here knows SQL."""
