"""What test results add up to: one question a file, with the dataclass that answers it."""
